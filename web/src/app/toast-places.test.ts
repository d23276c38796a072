import { describe, expect, it } from "vitest";
import { withoutToast, withToast, type Toast } from "./toast-places";

const told = (...texts: string[]) => texts.reduce<Toast[]>((toasts, text, index) => withToast(toasts, index, text), []);
/** What is seen, from the lowest place up; "" is an empty place. */
const seen = (toasts: readonly Toast[]) => toasts.map(({ text, isGone }) => (isGone ? "" : text));

describe("places of messages", () => {
  it("are above those that were there", () => expect(seen(told("a", "b", "c"))).toEqual(["a", "b", "c"]));

  it("stay when a message below goes, and are taken by the next one", () => {
    const left = withoutToast(told("a", "b", "c"), 0);
    expect(seen(left)).toEqual(["", "b", "c"]);
    expect(seen(withToast(left, 9, "d"))).toEqual(["d", "b", "c"]);
  });

  it("are given back from the top", () => {
    expect(seen(withoutToast(told("a", "b"), 1))).toEqual(["a"]);
    expect(withoutToast(withoutToast(told("a", "b"), 0), 1)).toEqual([]);
  });

  it("of the oldest are taken when there are many", () => {
    const four = told("a", "b", "c", "d");
    expect(seen(four)).toEqual(["d", "b", "c"]);
    expect(seen(withToast(four, 9, "e"))).toEqual(["d", "e", "c"]);
  });

  it("are kept by a sentence that is said again", () => {
    const again = withToast(told("a", "b"), 9, "a");
    expect(again.map(({ id, text }) => [id, text])).toEqual([[9, "a"], [1, "b"]]);
  });

  it("are as they are for a message that is not there any more", () => expect(seen(withoutToast(told("a", "b"), 7))).toEqual(["a", "b"]));
});
