import { expect, test } from "vitest";
import { plainText, spansOf, styleAfter } from "./ansi";

const ESC = "\u001b";

test("a line without sequences is one piece", () => {
  expect(spansOf("", "plain [31m text")).toEqual([{ text: "plain [31m text", classes: "" }]);
});

test("names become classes, other colours CSS", () => {
  const [red, table, rgb, rest] = spansOf("", `${ESC}[1;31mred${ESC}[0;38;5;196mtable${ESC}[48;2;1;2;3mrgb${ESC}[0m rest`);
  expect(red).toEqual({ text: "red", classes: "ansi-bold ansi-front-red" });
  expect(table?.colour).toBeTruthy();
  expect(rgb?.ground).toBe("#010203");
  expect(rest).toEqual({ text: " rest", classes: "" });
});

test("colours go over from line to line until they are reset", () => {
  const style = styleAfter("", `${ESC}[32mgreen, not closed`);
  expect(spansOf(style, "next line")).toEqual([{ text: "next line", classes: "ansi-front-green" }]);
  expect(styleAfter(style, `more${ESC}[m`)).toBe("");
});

test("what is remembered stays short", () => {
  const style = styleAfter("", `${ESC}[31m`.repeat(10_000));
  expect(style.length).toBeLessThanOrEqual(256);
  expect(spansOf(style, "x")).toEqual([{ text: "x", classes: "ansi-front-red" }]);
});

test("moves, titles and links leave nothing behind", () => {
  const text = `${ESC}]0;title\u0007a${ESC}[2Kb${ESC}]8;;http://x${ESC}\\c${ESC}[?25ld${ESC}(Be${ESC}[1mf`;
  expect(plainText(text)).toBe("abcdef");
  expect(spansOf("", text).map((span) => span.text).join("")).toBe("abcdef");
});
