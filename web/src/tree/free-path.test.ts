import { expect, it } from "vitest";
import { buildTree } from "./apply-changes";
import { freePath } from "./free-path";

it("numbers a path that is taken, before its ending and in any letter case", () => {
  const file = (path: string) => ({ id: path, name: "", path, kind: "text" as const, size: 0, main: false, children: null });
  const tree = buildTree([file("a/Notes.txt"), file("a/notes-2.txt"), file(".env")]);
  expect(freePath(tree, "a/notes.txt")).toBe("a/notes-3.txt");
  expect(freePath(tree, ".env")).toBe(".env-2");
  expect(freePath(null, "x")).toBe("x");
});
