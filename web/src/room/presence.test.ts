import { describe, expect, it } from "vitest";
import { peopleIn } from "./presence";

describe("peopleIn", () => {
  it("shows a person with two pages once, with both files", () => {
    const bo = { user: { id: "2", name: "bo" } };
    const people = peopleIn([{ ...bo, file: "x" }, { user: { id: "1", name: "ana" }, file: null }, { ...bo, file: "y" }, { ...bo, file: "x" }]);
    expect(people).toEqual([
      { id: "1", name: "ana", files: [] },
      { id: "2", name: "bo", files: ["x", "y"] },
    ]);
  });
  it("leaves everybody in their place when another comes", () => {
    const [ana, bo, cy] = ["ana", "bo", "cy"].map((name) => ({ user: { id: name, name } })) as [object, object, object];
    const before = peopleIn([cy, bo]);
    expect(peopleIn([ana, cy, bo], before).map(({ name }) => name)).toEqual(["bo", "cy", "ana"]);
    expect(peopleIn([ana, cy], before).map(({ name }) => name)).toEqual(["cy", "ana"]);
  });
  it("leaves out what is no person and cuts long names", () => {
    expect(peopleIn([{}, { user: { id: 7, name: "x" } }, { user: { id: "1", name: "" } }])).toEqual([]);
    expect(peopleIn([{ user: { id: "1", name: "x".repeat(500) } }])[0]?.name).toHaveLength(64);
  });
});
