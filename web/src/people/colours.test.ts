import { describe, expect, it } from "vitest";
import { initials } from "./colours";

describe("initials", () => {
  it("takes first letters, and one character of a Chinese name", () => {
    expect(["ana", "Ana Bo", "bo_c", "王小明", ""].map(initials)).toEqual(["A", "AB", "BC", "王", "?"]);
  });
});
