import "fake-indexeddb/auto";
import { describe, expect, it } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { LocalCopy } from "./local-copy";

async function reopened(file: string): Promise<string> {
  const document = new Doc();
  const copy = new LocalCopy("ana", file, document);
  await copy.loaded();
  await copy.close();
  return document.getText("source").toString();
}

describe("the copy on the device", () => {
  it("has own edits at once and those of others by the time it is closed", async () => {
    const document = new Doc();
    const copy = new LocalCopy("ana", "f", document);
    await copy.loaded();
    document.getText("source").insert(0, "mine");
    const other = new Doc();
    applyUpdate(other, encodeStateAsUpdate(document));
    other.getText("source").insert(4, " and theirs");
    applyUpdate(document, encodeStateAsUpdate(other), "provider");
    await copy.close();
    expect(await reopened("f")).toBe("mine and theirs");
  });
  it("has what was typed before the device's storage was open", async () => {
    const document = new Doc();
    const copy = new LocalCopy("ana", "early", document);
    document.getText("source").insert(0, "quick");
    await copy.loaded();
    await copy.close();
    expect(await reopened("early")).toBe("quick");
  });
  it("is another one for another user", async () => {
    const document = new Doc();
    const copy = new LocalCopy("bo", "f", document);
    await copy.loaded();
    expect(document.getText("source").toString()).toBe("");
    await copy.close();
  });
});
