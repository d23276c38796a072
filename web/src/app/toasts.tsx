// Short messages at the bottom of the page. They go away by themselves and are read out.

import { signal } from "@preact/signals";
import type { RefObject } from "preact";
import { t } from "../texts/texts";
import { Icon } from "./icons";
import { topDialog } from "./modal";
import { sentenceOf } from "./sentence-of";
import { withoutToast, withToast, type Toast } from "./toast-places";

/** Long enough to read two sentences. */
const SHOWN_MS = 7_000;

const toasts = signal<readonly Toast[]>([]);
let count = 0;

export function toast(text: string): void {
  const id = ++count;
  toasts.value = withToast(toasts.value, id, text);
  setTimeout(() => drop(id), SHOWN_MS);
}

/** Says what went wrong, for `.catch(toastError)`. */
export function toastError(error: unknown): void {
  toast(sentenceOf(error));
}

function drop(id: number): void {
  toasts.value = withoutToast(toasts.value, id);
}

/** The place of the messages: once in the page, and in each dialog; the topmost one shows them. */
export function Toasts({ place }: { place?: RefObject<Element | null> }) {
  const top = topDialog();
  if (place ? top === null || top !== place.current : top !== null) return null;
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text, isGone }) => (
        <div class={isGone ? "toast gone" : "toast"} key={id}>
          <span>{text}</span>
          <button aria-label={t.value.common.close} onClick={() => drop(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
