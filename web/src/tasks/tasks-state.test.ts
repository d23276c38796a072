import { afterEach, describe, expect, it, vi } from "vitest";
import type { TaskLine } from "../messages.generated";

interface Asked {
  filter: { search?: string; cursor?: string };
  answer(page: { tasks: { id: string }[]; next: string | null }): void;
}
const asked: Asked[] = [];
vi.mock("../app/toasts", () => ({ toastError: (error: unknown) => expect.fail(String(error)) }));
vi.mock("../api/tasks", () => ({ listTasks: (filter: Asked["filter"]) => new Promise((answer) => asked.push({ filter, answer })) }));
const { TasksState } = await import("./tasks-state");

const page = (next: string | null, ...ids: string[]) => ({ tasks: ids.map((id) => ({ id })), next });
const ids = (tasks: readonly TaskLine[] | null) => tasks?.map(({ id }) => id);
afterEach(() => void asked.splice(0));

async function begun() {
  const state = new TasksState();
  const reading = state.read();
  asked[0]?.answer(page("page 2", "a"));
  await reading;
  return state;
}

describe("tasks", () => {
  it("come page by page, each once", async () => {
    const state = await begun();
    const reading = state.readMore();
    expect(asked[1]?.filter.cursor).toBe("page 2");
    asked[1]?.answer(page(null, "a", "b"));
    await reading;
    expect(ids(state.tasks.value)).toEqual(["a", "b"]);
    expect(state.next.value).toBeNull();
  });
  it("a slow page of an old search is not added to a new one", async () => {
    const state = await begun();
    const slow = state.readMore();
    state.search.value = "new";
    const reading = state.read();
    asked[2]?.answer(page(null, "n"));
    await reading;
    asked[1]?.answer(page("page 3", "b"));
    await slow;
    expect(ids(state.tasks.value)).toEqual(["n"]);
    expect(state.next.value).toBeNull();
  });
  it("further pages belong to what is shown, not to what is being typed", async () => {
    const state = await begun();
    state.search.value = "typed";
    void state.readMore();
    expect(asked[1]?.filter.search).toBe("");
  });
});
