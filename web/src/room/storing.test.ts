import { describe, expect, it } from "vitest";
import { Storing } from "./storing";

describe("storing", () => {
  it("fails until it works again for every file", () => {
    const storing = new Storing();
    storing.take("not_stored", "a");
    storing.take("not_stored", "b");
    storing.take("stored", "a");
    expect(storing.fails.value).toBe(true);
    storing.take("stored", "b");
    expect(storing.fails.value).toBe(false);
  });
  it("does not fail because one file is full", () => {
    const storing = new Storing();
    storing.take("read_only", "a");
    storing.take("task_full", "a");
    expect(storing.fails.value).toBe(false);
  });
  it("begins anew with a new connection", () => {
    const storing = new Storing();
    storing.take("not_stored", "a");
    storing.forget();
    expect(storing.fails.value).toBe(false);
  });
});
