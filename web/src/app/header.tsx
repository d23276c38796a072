// The bar at the top of a page: where one is, what belongs to the page, and the user's menu.

import type { ComponentChildren } from "preact";
import { UserMenu } from "../people/user-menu";
import "./header.css";

export function Header({ children }: { children: ComponentChildren }) {
  return (
    <header class="bar">
      {children}
      <UserMenu />
    </header>
  );
}
