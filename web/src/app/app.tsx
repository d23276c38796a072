// The page of the address, and what every page shares: menu, question, messages.

import { Component, type ComponentChildren } from "preact";
import { AccountPage } from "../people/account-page";
import { JoinPage } from "../people/join-page";
import { SignInPage } from "../people/sign-in";
import { TasksPage } from "../tasks/tasks-page";
import { t } from "../texts/texts";
import { Confirmation } from "./dialog";
import { LazyTaskPage } from "./lazy-pages";
import { Menus } from "./menu";
import { go, Link, page } from "./router";
import { askToSignIn, loadUser, user } from "./session";
import { Toasts } from "./toasts";

export function App() {
  return (
    <>
      <Guard>
        <Current />
      </Guard>
      <Menus />
      <Confirmation />
      <Toasts />
    </>
  );
}

function Current() {
  const shown = page.value;
  if (shown.name === "sign-in") return <SignInPage />;
  if (user.value === undefined) return <NoServer />;
  if (user.value === null) {
    queueMicrotask(askToSignIn);
    return null;
  }
  switch (shown.name) {
    case "tasks":
      return <TasksPage />;
    case "task":
      return <LazyTaskPage key={shown.id} id={shown.id} />;
    case "account":
      return <AccountPage />;
    case "join":
      return <JoinPage />;
    case "unknown":
      return (
        <main class="loading">
          <p>
            {t.value.app.notFound} <Link to="/">{t.value.editor.toTasks}</Link>
          </p>
        </main>
      );
    default: {
      const never: never = shown;
      return never;
    }
  }
}

function NoServer() {
  const again = () => void loadUser().then(() => go(location.pathname + location.search)).catch(() => undefined);
  return (
    <main class="loading">
      <p>{t.value.errors.offline}</p>
      <button onClick={again}>{t.value.common.retry}</button>
    </main>
  );
}

/** Shows a sentence in place of a page that has a fault. */
class Guard extends Component<{ children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  static override getDerivedStateFromError(error: unknown) {
    console.error(error);
    return { failed: true };
  }

  render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main class="loading">
        <div class="stack">
          <p role="alert">{t.value.app.broken}</p>
          <button onClick={() => location.reload()}>{t.value.app.reload}</button>
        </div>
      </main>
    );
  }
}
