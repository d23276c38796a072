import { describe, expect, it } from "vitest";
import { partsOf } from "./ansi";

const told = (line: string) => partsOf(line).map(({ text, classes }) => [text, classes]);

describe("partsOf", () => {
  it("gives colours and weights as classes", () => {
    expect(told("\u001b[1;31mbad\u001b[0m and \u001b[94mfine")).toEqual([
      ["bad", "ansi-red-fg ansi-bold"],
      [" and ", ""],
      ["fine", "ansi-bright-blue-fg"],
    ]);
  });
  it("leaves out titles, links, cursor moves, and keeps the text", () => {
    expect(told("\u001b]0;title\u0007a\u001b[2Kb\u001b[1Ac\u001b]8;;http://x\u001b\\link")).toEqual([["abclink", ""]]);
  });
  it("leaves text without sequences alone", () => {
    expect(told("你好, 100 % [31m]")).toEqual([["你好, 100 % [31m]", ""]]);
  });
  it("takes only numbers for colours of a program's own", () => {
    expect(partsOf("\u001b[38;2;1;2;3mx")[0]?.colour).toBe("1, 2, 3");
  });
});
