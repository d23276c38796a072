import { expect, test } from "vitest";
import { LogModel, MAX_LINE_CHARS } from "./log-model";

const linesOf = (model: LogModel) => Array.from({ length: model.length }, (_, index) => model.plain(index));

test("lines are the same however the pieces were cut", () => {
  const text = "one\ntwo\r\n\nthree 你好 🙂\nfour";
  for (let cut = 0; cut <= text.length; cut++) {
    const model = new LogModel();
    model.append("out", text.slice(0, cut));
    model.append("out", text.slice(cut));
    expect(linesOf(model)).toEqual(["one", "two", "", "three 你好 🙂", "four"]);
    expect(model.allPlain()).toBe("one\ntwo\n\nthree 你好 🙂\nfour");
  }
});

test("each stream has lines of its own", () => {
  const model = new LogModel();
  model.append("out", "half");
  model.append("err", "wrong\n");
  model.append("out", "rest\n");
  expect([0, 1, 2].map((index) => [model.line(index).stream, model.plain(index)])).toEqual([
    ["out", "half"],
    ["err", "wrong"],
    ["out", "rest"],
  ]);
});

test("a very long line is several, and no character is torn", () => {
  const model = new LogModel();
  const text = "🙂".repeat(MAX_LINE_CHARS) + "end";
  model.append("out", `x${text}\nnext\n`);
  const lines = linesOf(model);
  expect(lines.at(-1)).toBe("next");
  expect(lines.slice(0, -1).join("")).toBe(`x${text}`);
  for (const line of lines) expect(line.isWellFormed()).toBe(true);
});

test("a progress bar shows what it shows last", () => {
  const model = new LogModel();
  model.append("out", " 10%\r 50%");
  expect(model.plain(0)).toBe(" 50%");
  model.append("out", "\r100%\r\n");
  expect(linesOf(model)).toEqual(["100%"]);
});

test("a million lines are taken in quickly and kept", () => {
  const model = new LogModel();
  const piece = Array.from({ length: 1000 }, (_, index) => `\u001b[3${index % 8}mline ${index}\u001b[0m of a log that goes on`).join("\n") + "\n";
  for (let count = 0; count < 1000; count++) model.append("out", piece);
  expect(model.length).toBe(1_000_000);
  expect(model.plain(999_999)).toBe("line 999 of a log that goes on");
}, 60_000);
