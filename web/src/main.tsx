// Begins the page: texts, theme, who is signed in, then the page of the address.

import { render } from "preact";
import { App } from "./app/app";
import { loadUser } from "./app/session";
import { textsReady } from "./texts/texts";
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/theme";

const root = document.getElementById("app");
if (root) {
  // A server that does not answer is said by the page itself.
  void Promise.all([textsReady, loadUser().catch(() => undefined)]).then(() => render(<App />, root));
}
