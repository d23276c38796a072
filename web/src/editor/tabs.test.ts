import { beforeEach, describe, expect, it, vi } from "vitest";
import { Tabs } from "./tabs";

const stored = new Map<string, string>();
beforeEach(() => {
  stored.clear();
  vi.stubGlobal("localStorage", { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, value: string) => stored.set(key, value) });
});

describe("tabs", () => {
  it("go back to the tab that was shown before when one is closed", () => {
    const tabs = new Tabs("t");
    ["a", "b", "c"].forEach((file) => tabs.openFile(file));
    tabs.show("a");
    tabs.close("a");
    expect(tabs.shown.value?.key).toBe("c");
    tabs.openFile("b");
    tabs.close("c");
    expect(tabs.shown.value?.key).toBe("b");
    tabs.close("b");
    expect(tabs.shown.value).toBeNull();
  });
  it("turn around the end, and open the same file or view once", () => {
    const tabs = new Tabs("t");
    tabs.openFile("a");
    tabs.openView({ key: "v", title: () => "view", render: () => null });
    tabs.openFile("a");
    tabs.turn(-1);
    expect(tabs.shown.value?.key).toBe("v");
    tabs.turn(1);
    expect(tabs.shown.value?.key).toBe("a");
    expect(tabs.open.value).toHaveLength(2);
  });
  it("remember files, not views", () => {
    const tabs = new Tabs("t");
    tabs.openFile("a");
    tabs.openView({ key: "v", title: () => "view", render: () => null });
    expect(new Tabs("t").remembered()).toEqual({ files: ["a"], shown: "v" });
    stored.set("t", "{broken");
    expect(new Tabs("t").remembered()).toEqual({ files: [], shown: null });
  });
});
