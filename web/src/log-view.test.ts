import { describe, expect, it } from "vitest";
import { LogCursor, plainText } from "./log-view";

describe("LogCursor", () => {
  it("shows a piece that comes twice only once", () => {
    const cursor = new LogCursor();
    expect(cursor.accept({ offset: 0, end: 5 })).toBe(true);
    expect(cursor.accept({ offset: 0, end: 5 })).toBe(false);
    expect(cursor.accept({ offset: 5, end: 9 })).toBe(true);
    expect(cursor.next).toBe(9);
  });
});

describe("plainText", () => {
  it("removes colours and titles and keeps the text", () => {
    expect(plainText("\u001b[31mred\u001b[0m \u001b]0;title\u0007end")).toBe("red end");
  });
  it("leaves text without escapes alone", () => {
    expect(plainText("你好, 100 % [ok]")).toBe("你好, 100 % [ok]");
  });
});
