import { describe, expect, it } from "vitest";
import { endingOf, indentOf } from "./languages";
import { matchOf } from "./match-path";

describe("going to a file", () => {
  it("takes letters in their order and nothing else", () => {
    expect(matchOf("lib/report.py", "lrp")).not.toBeNull();
    expect(matchOf("lib/report.py", "prl")).toBeNull();
    expect(matchOf("数据/a.csv", "据a")).not.toBeNull();
  });
  it("puts names before folders", () => {
    expect(matchOf("x/run.py", "run") ?? 0).toBeLessThan(matchOf("run/x.py", "run") ?? 0);
  });
});

describe("the language of a file", () => {
  it("comes from its ending, in any letter case", () => {
    expect(["a.PY", "b.R", ".Rprofile", "c.yml", "Makefile", "d.tar.gz"].map(endingOf)).toEqual(["py", "r", "r", "yaml", "", "gz"]);
    expect(indentOf("a.py")).toBe("    ");
  });
});
