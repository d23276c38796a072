import { expect, test, vi } from "vitest";
import { LogSearch, MAX_MATCHES } from "./find";
import { LogModel } from "./log-model";

function modelOf(lines: number, line: (index: number) => string): LogModel {
  const model = new LogModel();
  for (let index = 0; index < lines; index++) model.append("out", line(index) + "\n");
  return model;
}

test("lines are found without their colours, and more when more come", async () => {
  const model = modelOf(100, (index) => (index % 10 === 0 ? "an \u001b[31mEr\u001b[1mror\u001b[0m here" : "nothing"));
  const search = new LogSearch(model);
  search.search("error");
  await vi.waitFor(() => expect(search.matches.value).toEqual([0, 10, 20, 30, 40, 50, 60, 70, 80, 90]));
  expect([search.move(1), search.move(1), search.move(-1), search.move(-1)]).toEqual([0, 10, 0, 90]);
  model.append("out", "one more ERROR\n");
  search.goOn();
  await vi.waitFor(() => expect(search.matches.value).toHaveLength(11));
  search.search("ERROR");
  await vi.waitFor(() => expect(search.matches.value).toEqual([100]));
});

test("places are those in the plain text", () => {
  const search = new LogSearch(new LogModel());
  search.search("ab");
  expect(search.placesIn("ab cAb")).toEqual([
    [0, 2],
    [4, 6],
  ]);
  search.stop();
});

test("matches are bounded", async () => {
  const search = new LogSearch(modelOf(MAX_MATCHES + 50, () => "x"));
  search.search("x");
  await vi.waitFor(() => expect(search.matches.value).toHaveLength(MAX_MATCHES));
});
