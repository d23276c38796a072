import { describe, expect, it } from "vitest";
import type { Node } from "../messages.generated";
import { findInTexts } from "./search-texts";

const file = (path: string, text: string | null): Node => ({ id: path, name: path, path, kind: "text", size: 0, main: false, children: null, text });

describe("findInTexts", () => {
  it("gives lines from 1 and columns from 0, in any letter case unless asked", () => {
    const files = [file("a.py", "x\r\nPrint(print)"), file("b.bin", null)];
    expect(findInTexts(files, "print", false, 10).hits.map(({ line, column }) => [line, column])).toEqual([[2, 0], [2, 6]]);
    expect(findInTexts(files, "print", true, 10).hits).toHaveLength(1);
  });
  it("takes signs of patterns as they are, and finds Chinese", () => {
    expect(findInTexts([file("a", "a.b*c 你好 (x)")], ".b*", false, 10).hits).toHaveLength(1);
    expect(findInTexts([file("a", "a.b*c 你好 (x)")], "你好", false, 10).hits[0]?.column).toBe(6);
  });
  it("stops at the bound and says so, and finds nothing for nothing", () => {
    expect(findInTexts([file("a", "aaaa")], "a", false, 3)).toMatchObject({ isCut: true, hits: { length: 3 } });
    expect(findInTexts([file("a", "aaaa")], "", false, 3).hits).toEqual([]);
  });
  it("shows the part of a long line that has the hit", () => {
    const [hit] = findInTexts([file("a", `${"x".repeat(500)}needle`)], "needle", false, 3).hits;
    expect(hit?.shown.slice(hit.shownAt, hit.shownAt + hit.length)).toBe("needle");
  });
});
