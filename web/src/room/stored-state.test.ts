import { signal } from "@preact/signals-core";
import { describe, expect, it } from "vitest";
import { StoredState, worst } from "./stored-state";

const synced = () => {
  const state = new StoredState();
  state.sent("step2");
  state.answered(true);
  return state;
};
const word = (state: StoredState, online = true, mayEdit = true) => worst([state], online, mayEdit);

describe("stored state", () => {
  it("says saved only when every frame was answered", () => {
    const state = synced();
    state.sent("update");
    state.sent("update");
    expect(word(state)).toBe("saving");
    state.answered(true);
    expect(word(state)).toBe("saving");
    state.answered(true);
    expect(word(state)).toBe("saved");
  });
  it("is not saved before the first exchange of a connection", () => {
    expect(word(new StoredState())).toBe("loading");
  });
  it("keeps what was typed offline until a whole exchange covers it", () => {
    const state = synced();
    state.disconnected();
    state.keptHere();
    expect(word(state, false)).toBe("offline-with-edits");
    state.sent("step2");
    expect(word(state)).toBe("saving");
    state.disconnected();
    expect(word(state, false)).toBe("offline-with-edits");
    state.sent("step2");
    state.answered(true);
    expect(word(state)).toBe("saved");
  });
  it("does not say that offline edits are on the device before its storage has them", () => {
    const kept = signal(true);
    const state = new StoredState(kept);
    state.disconnected();
    kept.value = false;
    state.keptHere();
    expect(word(state, false)).toBe("offline-keeping");
    kept.value = true;
    expect(word(state, false)).toBe("offline-with-edits");
  });
  it("counts frames again whose answer was lost with the connection", () => {
    const state = synced();
    state.sent("update");
    state.disconnected();
    expect(state.waiting.value).toBe(1);
  });
  it("does not take an answer to an update for an answer to what was typed offline", () => {
    const state = synced();
    state.disconnected();
    state.keptHere();
    state.sent("update");
    state.answered(true);
    expect(word(state)).toBe("saving");
  });
  it("says refused until an exchange makes up for it", () => {
    const state = synced();
    state.sent("update");
    state.answered(false);
    expect(word(state)).toBe("refused");
    state.sent("step2");
    state.answered(true);
    expect(word(state)).toBe("saved");
  });
  it("does not say saving of edits for a file that was deleted", () => {
    const state = synced();
    state.sent("update");
    state.fileIsGone();
    expect(word(state)).toBe("gone");
    expect(worst([state], true, false)).toBe("read-only");
    const idle = synced();
    idle.fileIsGone();
    expect(word(idle)).toBe("saved");
  });
  it("shows the worst of several documents", () => {
    const waiting = synced();
    waiting.sent("update");
    expect(worst([synced(), waiting], true, true)).toBe("saving");
    expect(worst([synced()], true, false)).toBe("read-only");
    expect(worst([], false, true)).toBe("offline");
  });
});
