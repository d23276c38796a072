// Which dialogs are open. Everything outside of the topmost one is out of reach, so what belongs to the whole page is drawn inside it.

import { signal } from "@preact/signals";
import type { RefObject } from "preact";
import { useLayoutEffect } from "preact/hooks";

const open = signal<readonly Element[]>([]);

/** The dialog that is on top, or null. */
export const topDialog = (): Element | null => open.value.at(-1) ?? null;

/** Opens a dialog for as long as it is rendered, and gives the focus back afterwards. */
export function useModal(element: RefObject<HTMLDialogElement | null>): void {
  // Before the next key: whoever types on at once types into the dialog.
  useLayoutEffect(() => {
    const dialog = element.current;
    if (!dialog) return undefined;
    dialog.showModal();
    open.value = [...open.peek(), dialog];
    return () => {
      open.value = open.peek().filter((other) => other !== dialog);
      dialog.close();
    };
  }, []);
}
