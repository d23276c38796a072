// Sign in with a name and password, or with the one-time code of a printed link.

import { api } from "../api";
import { el, show } from "../dom";

export function signInPage(go: (path: string) => void): HTMLElement {
  const query = new URLSearchParams(location.search);
  const wanted = query.get("next") ?? "/";
  // Only a path of this site: "//host" would leave it.
  const next = wanted.startsWith("/") && !wanted.startsWith("//") ? wanted : "/";
  const code = query.get("code");
  const problem = el("p", { class: "problem", role: "alert" });
  const page = el("main", { class: "card sign-in" });

  const attempt = async (sign: Promise<void>) => {
    try {
      await sign;
      go(next);
    } catch (error) {
      show(problem, (error as Error).message);
    }
  };

  if (code) {
    const button = el("button", { class: "primary", onclick: () => void attempt(api.signInWithCode(code)) }, "Sign in");
    page.append(el("h1", {}, "coderoom"), el("p", {}, "This link signs you in once."), button, problem);
    queueMicrotask(() => button.focus());
    return page;
  }
  const name = el("input", { name: "name", autocomplete: "username", required: true });
  const password = el("input", { name: "password", type: "password", autocomplete: "current-password", required: true });
  const form = el(
    "form",
    {
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        void attempt(api.signIn(name.value, password.value));
      },
    },
    el("label", {}, "Name", name),
    el("label", {}, "Password", password),
    el("button", { class: "primary" }, "Sign in"),
  );
  page.append(el("h1", {}, "coderoom"), form, problem);
  page.append(el("p", { class: "quiet" }, "No password yet? Use the link that the server printed when it started."));
  return page;
}
