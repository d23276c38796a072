import { describe, expect, it } from "vitest";
import type { Node } from "../messages.generated";
import { buildTree } from "./apply-changes";
import { mayMove, rowAfterDeleting, rowByKey, visibleRows } from "./rows";

const file = (path: string): Node => ({ id: path, name: "", path, kind: "text", size: 1, main: false, children: null });
const tree = buildTree([file("lib/a.py"), file("lib/b.py"), file("run.py"), file("run.sh")]);
const open = visibleRows(tree, () => true);

describe("rows", () => {
  it("leave out what is in closed folders", () => {
    expect(open.map(({ node, level, place, siblings }) => [node.path, level, place, siblings])).toEqual([
      ["lib", 1, 1, 3],
      ["lib/a.py", 2, 1, 2],
      ["lib/b.py", 2, 2, 2],
      ["run.py", 1, 2, 3],
      ["run.sh", 1, 3, 3],
    ]);
    expect(visibleRows(tree, () => false)).toHaveLength(3);
  });
  it("are reached by keys", () => {
    expect(rowByKey(open, 4, "ArrowDown")).toBe(4);
    expect(rowByKey(open, 2, "ArrowLeft")).toBe(0);
    expect(rowByKey(open, 0, "r")).toBe(3);
    expect(rowByKey(open, 3, "r")).toBe(4);
    expect(rowByKey(open, 4, "r")).toBe(3);
    expect(rowByKey(open, 1, "End")).toBe(4);
    expect(rowByKey(open, 1, "F7")).toBe(1);
  });
});

describe("rowAfterDeleting", () => {
  it("is the next one that stays, else the one before", () => {
    expect(rowAfterDeleting(open, "lib")).toBe("run.py");
    expect(rowAfterDeleting(open, "run.py")).toBe("run.sh");
    expect(rowAfterDeleting(open, "run.sh")).toBe("run.py");
    expect(rowAfterDeleting(open, "nowhere")).toBe("lib");
    expect(rowAfterDeleting([], "lib")).toBeNull();
  });
});

describe("mayMove", () => {
  it("refuses the folder it is in, itself and what is below itself", () => {
    expect(mayMove("lib/a.py", "")).toBe(true);
    expect(mayMove("lib/a.py", "lib")).toBe(false);
    expect(mayMove("lib", "lib")).toBe(false);
    expect(mayMove("lib", "lib/deep")).toBe(false);
    expect(mayMove("lib", "library")).toBe(true);
    expect(mayMove("run.py", "")).toBe(false);
  });
});
