// The bar at the top of a page: where one is, what belongs to the page, and the user's menu.

import type { ComponentChildren } from "preact";
import { UserMenu } from "../people/user-menu";
import "./header.css";

/** `inert` while something covers it. */
export function Header({ children, inert = false }: { children: ComponentChildren; inert?: boolean }) {
  return (
    <header class="bar" inert={inert}>
      {children}
      <UserMenu />
    </header>
  );
}
