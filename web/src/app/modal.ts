// Which dialogs are open. Everything outside of the topmost one is out of reach, so what belongs to the whole page is drawn inside it.

import { signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

const open = signal<readonly Element[]>([]);

/** The dialog that is on top, or null. */
export const topDialog = (): Element | null => open.value.at(-1) ?? null;

/** Longest that a dialog waits for what it shows, in milliseconds. */
const MAX_WAIT_MS = 400;

/** Opens a dialog for as long as it is rendered, and gives the focus back afterwards. With `ready` it opens when that has settled, so that it has its size at once. */
export function useModal(element: RefObject<HTMLDialogElement | null>, ready?: Promise<unknown>): void {
  // Before the next key: whoever types on at once types into the dialog.
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog) return undefined;
    let isLeft = false;
    const show = () => {
      if (isLeft || dialog.open) return;
      dialog.showModal();
      open.value = [...open.peek(), dialog];
    };
    const timer = ready && setTimeout(show, MAX_WAIT_MS);
    if (ready) void ready.then(() => requestAnimationFrame(show), show);
    else show();
    return () => {
      isLeft = true;
      clearTimeout(timer);
      open.value = open.peek().filter((other) => other !== dialog);
      dialog.close();
    };
  }, []);
}
