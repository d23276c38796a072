// Which message stands where. None moves while it can be read: the place of one that has gone stays empty until another takes it,
// or until nothing stands above it.

export interface Toast {
  readonly id: number;
  readonly text: string;
  /** It keeps its place for the others' sake and is not seen. */
  readonly isGone: boolean;
}

/** More at once would hide the page. */
export const MAX_TOASTS = 3;

/** The messages with a new one, from the lowest place to the highest. The same sentence twice is one message. */
export function withToast(toasts: readonly Toast[], id: number, text: string): Toast[] {
  const next = { id, text, isGone: false };
  const same = toasts.findIndex((toast) => toast.text === text);
  const free = toasts.findIndex(({ isGone }) => isGone);
  const oldest = toasts.reduce((found, toast, index) => (toast.id < (toasts[found]?.id ?? Infinity) ? index : found), 0);
  const place = [same, free, toasts.length < MAX_TOASTS ? toasts.length : oldest].find((each) => each >= 0) ?? 0;
  return [...toasts.slice(0, place), next, ...toasts.slice(place + 1)];
}

/** The messages without this one. */
export function withoutToast(toasts: readonly Toast[], id: number): Toast[] {
  const left = toasts.map((toast) => (toast.id === id ? { ...toast, isGone: true } : toast));
  return left.slice(0, left.findLastIndex(({ isGone }) => !isGone) + 1);
}
