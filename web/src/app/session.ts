// Who is signed in on this page.

import { signal } from "@preact/signals";
import * as people from "../api/people";
import type { Me } from "../messages.generated";
import { go } from "./router";

/** `undefined` until the server has said it; `null` when nobody is signed in. */
export const user = signal<Me | null | undefined>(undefined);

/** Asks the server who this is. */
export async function loadUser(): Promise<void> {
  user.value = await people.me();
}

/** Shows the sign-in page and comes back here afterwards. */
export function askToSignIn(): void {
  const here = location.pathname + location.search + location.hash;
  user.value = null;
  go(here === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(here)}`);
}

export async function signOut(): Promise<void> {
  await people.signOut();
  user.value = null;
  go("/sign-in");
}
