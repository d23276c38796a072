import { expect, test } from "vitest";
import { shownName } from "./shown-name";

test("ordinary names are shown as they are", () => {
  for (const name of ["run.py", "data/températures 气温.csv", "", ".hidden", "a-b_c (1).txt"]) expect(shownName(name)).toBe(name);
});

test("characters that change the direction are written out", () => {
  expect(shownName("photo\u202egpj.py")).toBe("photo\\u202egpj.py");
  expect(shownName("\u200ea/\u2066b\u2069.py")).toBe("\\u200ea/\\u2066b\\u2069.py");
  for (let code = 0x202a; code <= 0x202e; code++) expect(shownName(String.fromCharCode(code))).toBe(`\\u${code.toString(16)}`);
  expect(shownName("\u061c")).toBe("\\u061c");
});

test("a part that is written from right to left turns nothing beside it", () => {
  expect(shownName("a/\u05d0\u05d1.py/1")).toBe("a/\u2066\u05d0\u05d1.py\u2069/1");
});
