import { describe, expect, it } from "vitest";
import { editFrame } from "./frames";

const frame = (address: string, ...rest: number[]) => {
  const name = new TextEncoder().encode(address);
  return new Uint8Array([name.length, ...name, ...rest]);
};

describe("editFrame", () => {
  it("tells frames that carry edits from those that answer them", () => {
    expect(editFrame(frame("main.py", 0, 1, 2, 0, 0))).toEqual({ address: "main.py", kind: "step2" });
    expect(editFrame(frame("main.py", 0, 2, 2, 0, 0))).toEqual({ address: "main.py", kind: "update" });
    expect(editFrame(frame("文件", 8, 1))).toEqual({ address: "文件", kind: "stored" });
    expect(editFrame(frame("文件", 8, 0))).toEqual({ address: "文件", kind: "refused" });
  });
  it("ignores step 1, presence, pings and broken frames", () => {
    for (const other of [frame("a", 0, 0, 0), frame("a", 1, 1, 0), frame("a", 2, 0, 0), new Uint8Array([9]), new Uint8Array(), new Uint8Array([200])]) {
      expect(editFrame(other)).toBeNull();
    }
  });
});
