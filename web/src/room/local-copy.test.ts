import "fake-indexeddb/auto";
import { describe, expect, it, vi } from "vitest";
import { applyUpdate, Doc, encodeStateAsUpdate } from "yjs";
import { LocalCopy } from "./local-copy";

async function reopened(file: string): Promise<string> {
  const document = new Doc();
  const copy = new LocalCopy("ana", file, document);
  await copy.loaded(false);
  await copy.close();
  return document.getText("source").toString();
}

describe("the copy on the device", () => {
  it("has own edits at once and those of others by the time it is closed", async () => {
    const document = new Doc();
    const copy = new LocalCopy("ana", "f", document);
    await copy.loaded(false);
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
    await copy.loaded(false);
    await copy.close();
    expect(await reopened("early")).toBe("quick");
  });
  it("says that it keeps what was typed only when the storage has it", async () => {
    const document = new Doc();
    const copy = new LocalCopy("ana", "kept", document);
    await copy.loaded(false);
    document.getText("source").insert(0, "first ");
    document.getText("source").insert(6, "last");
    expect(copy.kept.value).toBe(false);
    await vi.waitFor(() => expect(copy.kept.value).toBe(true));
    // The page is left: the copy is not closed.
    expect(await reopened("kept")).toBe("first last");
    await copy.close();
  });
  it("keeps at last what was typed before the storage was open, and says so only then", async () => {
    const document = new Doc();
    const copy = new LocalCopy("ana", "at last", document);
    document.getText("source").insert(0, "quick");
    expect(copy.kept.value).toBe(false);
    await vi.waitFor(() => expect(copy.kept.value).toBe(true));
    expect(await reopened("at last")).toBe("quick");
    await copy.close();
  });
  it("is another one for another user", async () => {
    const document = new Doc();
    const copy = new LocalCopy("bo", "f", document);
    await copy.loaded(false);
    expect(document.getText("source").toString()).toBe("");
    await copy.close();
  });
});
