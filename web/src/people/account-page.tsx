// The account of the one who is signed in: password and API tokens.

import { Header } from "../app/header";
import { Link } from "../app/router";
import { t } from "../texts/texts";

export function AccountPage() {
  return (
    <>
      <Header>
        <Link to="/">{t.value.app.tasks}</Link>
        <h1>{t.value.account.title}</h1>
        <span class="space" />
      </Header>
      <main />
    </>
  );
}
