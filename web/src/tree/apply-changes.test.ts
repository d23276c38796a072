import { describe, expect, it } from "vitest";
import type { Node } from "../messages.generated";
import { applyChanges, buildTree, filesOf } from "./apply-changes";

const file = (path: string, more: Partial<Node> = {}): Node => ({ id: path, name: "", path, kind: "text", size: 1, main: false, children: null, ...more });
const paths = (root: Node) => filesOf(root).map(({ path }) => path);

describe("tree", () => {
  it("has folders first and names in natural order", () => {
    const tree = buildTree([file("b10.py"), file("a.py"), file("b9.py"), file("z/x.py"), file("B2.py")]);
    expect(paths(tree)).toEqual(["z/x.py", "a.py", "B2.py", "b9.py", "b10.py"]);
    expect(tree.size).toBe(5);
  });
  it("moves a file with its id and drops a folder that is empty", () => {
    const before = buildTree([file("src/a.py"), file("run.py", { main: true })]);
    const after = applyChanges(before, [{ op: "moved", file: "src/a.py", from: "src/a.py", to: "lib/deep/b.py" }]);
    expect(paths(after)).toEqual(["lib/deep/b.py", "run.py"]);
    expect(filesOf(after)[0]).toMatchObject({ id: "src/a.py", name: "b.py" });
    expect(paths(before)).toEqual(["src/a.py", "run.py"]);
  });
  it("makes, deletes and chooses the main file", () => {
    const after = applyChanges(buildTree([file("run.py", { main: true })]), [
      { op: "created", file: "n", path: "new.py", kind: "text" },
      { op: "main", file: "n", path: "new.py" },
      { op: "deleted", file: "run.py", path: "run.py" },
    ]);
    expect(filesOf(after)).toMatchObject([{ id: "n", path: "new.py", main: true }]);
  });
});
