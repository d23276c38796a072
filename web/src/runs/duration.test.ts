import { expect, test } from "vitest";
import { duration } from "./duration";

test("durations are short", () => {
  expect([0, 449, 9_900, 9_960, 59_999, 60_000, 185_000, 3_612_000].map(duration)).toEqual(["0.0 s", "0.4 s", "9.9 s", "9 s", "59 s", "1:00", "3:05", "1:00:12"]);
});
