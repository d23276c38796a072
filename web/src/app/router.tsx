// Which page the address names, and how to get to another without loading anew.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";

export type Page = { name: "tasks" } | { name: "task"; id: string } | { name: "sign-in" } | { name: "account" } | { name: "join" } | { name: "unknown" };

/** The page of an address. */
export function pageOf(path: string): Page {
  if (path === "/" || path === "/tasks") return { name: "tasks" };
  if (path === "/sign-in") return { name: "sign-in" };
  if (path === "/account") return { name: "account" };
  if (path === "/join") return { name: "join" };
  const id = /^\/tasks\/([0-9a-f-]{36})\/?$/.exec(path)?.[1];
  return id ? { name: "task", id } : { name: "unknown" };
}

/** The page that is shown. */
export const page = signal<Page>(pageOf(location.pathname));

export function go(path: string): void {
  history.pushState(null, "", path);
  page.value = pageOf(location.pathname);
}

addEventListener("popstate", () => (page.value = pageOf(location.pathname)));

interface LinkProps {
  to: string;
  class?: string;
  title?: string;
  "aria-label"?: string;
  children?: ComponentChildren;
}

/** A link inside the page. With a modifier key it is an ordinary link. */
export function Link({ to, ...rest }: LinkProps) {
  const onClick = (event: MouseEvent) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
    event.preventDefault();
    go(to);
  };
  return <a href={to} onClick={onClick} {...rest} />;
}
