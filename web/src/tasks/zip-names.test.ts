import { describe, expect, it } from "vitest";
import { languageOfNames, zipNames } from "./zip-names";

/** A directory entry of a zip with this name. */
function entry(name: string): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(46 + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x02014b50, true);
  view.setUint16(28, text.length, true);
  bytes.set(text, 46);
  return bytes;
}

describe("import of a zip", () => {
  it("reads the names in its directory", async () => {
    const zip = new Blob([new Uint8Array([1, 2, 3]), entry("run.R"), entry("数据/a.csv")]);
    await expect(zipNames(zip)).resolves.toEqual(["run.R", "数据/a.csv"]);
    await expect(zipNames(new Blob([]))).resolves.toEqual([]);
  });
  it("takes the language of most files, and Python when there is none", () => {
    expect(languageOfNames(["a.R", "b.r", "c.py"])).toBe("r");
    expect(languageOfNames(["Main.scala"])).toBe("scala");
    expect(languageOfNames(["readme.md"])).toBe("python");
  });
});
