// Chooses the page by the address.

import { api } from "./api";
import { show } from "./dom";
import { signInPage } from "./pages/sign-in";
import { taskPage } from "./pages/task";
import { tasksPage } from "./pages/tasks";

let leave: (() => void) | undefined;

async function route(): Promise<void> {
  leave?.();
  leave = undefined;
  const app = document.getElementById("app");
  if (!app) return;
  const path = location.pathname;
  if (path === "/sign-in") {
    show(app, signInPage(go));
    return;
  }
  const me = await api.me();
  if (!me) {
    go(`/sign-in?next=${encodeURIComponent(path)}`);
    return;
  }
  const task = /^\/tasks\/([0-9a-f-]{36})$/.exec(path)?.[1];
  const page = task ? await taskPage(task, me, go) : await tasksPage(me, go);
  leave = page.leave;
  show(app, page.element);
}

function go(path: string): void {
  history.pushState(null, "", path);
  void route();
}

addEventListener("popstate", () => void route());
void route();
