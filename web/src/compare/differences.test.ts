import { expect, test } from "vitest";
import { differences, type SideFile } from "./differences";

const file = (path: string, sha256: string | null = "a", size = 1): SideFile => ({ path, size, sha256, isText: true });

test("every path is once there, with what became of it", () => {
  const left = [file("b.py"), file("a10.py"), file("a9.py", "x"), file("gone.py")];
  const right = [file("a9.py", "y"), file("new.py"), file("b.py"), file("a10.py", "a", 2)];
  expect(differences(left, right).map(({ path, change }) => `${path} ${change}`)).toEqual(["a9.py changed", "a10.py changed", "b.py same", "gone.py removed", "new.py added"]);
});

test("content that is not known counts as changed", () => {
  expect(differences([file("a", null)], [file("a", "a")])[0]?.change).toBe("changed");
});
