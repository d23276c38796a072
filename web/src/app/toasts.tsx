// Short messages at the bottom of the page. They go away by themselves and are read out.

import { signal } from "@preact/signals";
import { t } from "../texts/texts";
import { sentenceOf } from "./sentence-of";
import { Icon } from "./icons";

interface Toast {
  id: number;
  text: string;
}

/** Long enough to read two sentences. */
const SHOWN_MS = 7_000;
/** More at once would hide the page. */
const MAX_TOASTS = 3;

const toasts = signal<readonly Toast[]>([]);
let count = 0;

export function toast(text: string): void {
  const id = ++count;
  // The same sentence twice is one message.
  toasts.value = [...toasts.value.filter((other) => other.text !== text), { id, text }].slice(-MAX_TOASTS);
  setTimeout(() => drop(id), SHOWN_MS);
}

/** Says what went wrong, for `.catch(toastError)`. */
export function toastError(error: unknown): void {
  toast(sentenceOf(error));
}

function drop(id: number): void {
  toasts.value = toasts.value.filter((other) => other.id !== id);
}

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map(({ id, text }) => (
        <div class="toast" key={id}>
          <span>{text}</span>
          <button aria-label={t.value.common.close} onClick={() => drop(id)}>
            <Icon name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
