// What can be done with runs: command and remarks, the place in the queue, the end with its reason, the log searched, copied and
// downloaded, a run started again, older runs.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openTask, saved, signedIn, startBrowser, startServer, until } from "./harness.mjs";

let server;
let browser;
let ana;
let bo;
let task;
const errors = [];

before(async () => {
  // One program at a time, so that there is a queue.
  server = await startServer({ CODEROOM_RUNS_SLOTS: "1" });
  browser = await startBrowser();
  const people = [await server.person("ana"), await server.person("bo")];
  task = await server.task("runs", "python", { ana: "owner" });
  // On a cluster bo is at the other server, which runs nothing itself.
  const at = [server, { url: server.otherUrl }];
  [ana, bo] = await Promise.all(people.map((person, index) => signedIn(browser, at[index], person, errors, { permissions: ["clipboard-read", "clipboard-write"] })));
  await openTask(ana, server, task);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const log = () => ana.locator(".log");
const state = (page) => page.locator(".run-state");

async function program(page, id, text) {
  await server.call("PUT", `/tasks/${id}/files/run.py`, text);
  await page.locator(".cm-content").filter({ hasText: text.split("\n")[0] }).waitFor();
  await saved(page);
}

/** Waits until the run with this number is shown, at its end. */
async function ended(number, final) {
  await ana.getByRole("button", { name: `#${number} · ana` }).waitFor();
  await ana.locator(`.run-state.state-${final}`).waitFor();
}

const menu = async (item) => {
  await ana.getByRole("button", { name: "More about this run" }).click();
  return ana.getByRole("menuitem", { name: item }).click();
};

test("a run has the command and the remarks that were typed", async () => {
  await program(ana, task, "import sys; print('given:', *sys.argv[1:])\n");
  await ana.getByRole("button", { name: "Run with a command or remarks" }).click();
  const dialog = ana.getByRole("dialog", { name: "Run with a command or remarks" });
  await dialog.getByLabel("Command").fill("python3 run.py --fast");
  await dialog.getByLabel("Remarks").fill("second try");
  await dialog.getByRole("button", { name: "Run", exact: true }).click();
  await log().filter({ hasText: "given: --fast" }).waitFor();
  await ended(1, 3);
  await ana.getByTitle("All runs").click();
  await ana.locator(".run-list li").filter({ hasText: "python3 run.py --fast · second try" }).waitFor();
  await ana.keyboard.press("Escape");
});

test("a run waits with its place in the queue, and is run when its turn comes", async (t) => {
  const other = await server.task("in front", "python", { bo: "owner" });
  await openTask(bo, { url: server.otherUrl }, other);
  await program(bo, other, "import time; print('in front', flush=True); time.sleep(600)\n");
  // Whatever happens: the tests after this one need the only slot.
  t.after(() => server.call("DELETE", `/tasks/${other}`));
  await bo.keyboard.press("Control+Enter");
  await bo.locator(".log").filter({ hasText: "in front" }).waitFor();
  await state(bo).filter({ hasText: /^running$/ }).waitFor();
  await ana.keyboard.press("Control+Enter");
  await state(ana).filter({ hasText: "waiting, next in line" }).waitFor();
  await bo.getByRole("button", { name: "Stop" }).click();
  await bo.getByText("Stopped by bo.").waitFor();
  await ended(2, 3);
});

test("a failed run says why, in words", async () => {
  await program(ana, task, "import sys; print('to the error output', file=sys.stderr); sys.exit(7)\n");
  await ana.keyboard.press("Control+Enter");
  await ended(3, 4);
  await ana.locator(".run-end").filter({ hasText: "The program ended with exit code 7." }).waitFor();
  assert.match(await log().getByText("to the error output").getAttribute("class"), /err/);
});

test("the log is searched, copied and downloaded", async () => {
  await program(ana, task, "for i in range(1, 301): print(f'line {i}', 'needle' if i % 100 == 0 else '')\n");
  await ana.keyboard.press("Control+Enter");
  await ended(4, 3);
  await log().getByText("line 300").waitFor();
  await log().focus();
  await ana.keyboard.press("Control+f");
  await ana.keyboard.type("needle");
  const find = ana.getByRole("search", { name: "Search in the log" });
  await find.getByText("3 lines").waitFor();
  await ana.keyboard.press("Enter");
  await find.getByText("1 of 3 lines").waitFor();
  await log().getByText("line 100").waitFor();
  await ana.keyboard.press("Shift+Enter");
  await find.getByText("3 of 3 lines").waitFor();
  await log().getByText("line 300").waitFor();
  await ana.keyboard.press("Escape");
  await find.waitFor({ state: "hidden" });
  await menu("Copy the log");
  await ana.getByText("The log is on the clipboard.").waitFor();
  const copied = await ana.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied.trimEnd().split("\n").length, 300);
  const [download] = await Promise.all([ana.waitForEvent("download"), menu("Download the log")]);
  assert.equal(download.suggestedFilename(), "run-4.log");
  assert.equal(readFileSync(await download.path(), "utf8").trimEnd(), copied.trimEnd());
});

test("run again runs the same files, whatever is there now", async () => {
  await program(ana, task, "print('newer text')\n");
  await ana.getByRole("button", { name: "Run again" }).click();
  await ended(5, 3);
  await log().getByText("line 300").waitFor();
});

test("older runs come when they are asked for, each once", async () => {
  // More than a page has at first; the page asks for few at a time, so that there is more to ask for.
  await ana.route("**/api/v1/tasks/*/runs*", (route) => {
    const url = new URL(route.request().url());
    url.searchParams.set("limit", "4");
    return route.continue({ url: url.href });
  });
  for (let number = 6; number <= 26; number++) {
    const { run } = await server.call("POST", `/tasks/${task}/runs`, { command: "true" });
    await until(async () => (await server.call("GET", `/runs/${run.id}`)).state >= 3, `the end of run ${number}`);
  }
  await ana.reload();
  await ana.getByTitle("All runs").click();
  const numbers = async () => (await ana.locator(".run-list b").allInnerTexts()).map((each) => Number(each.slice(1)));
  const all = Array.from({ length: 26 }, (_, index) => 26 - index);
  await until(async () => {
    const more = ana.getByRole("button", { name: "Show more" });
    if ((await numbers()).length === 26) return true;
    if (await more.count()) await more.click();
    return false;
  }, "all 26 runs");
  assert.deepEqual(await numbers(), all);
  await ana.getByRole("button", { name: /^#1 / }).click();
  await log().filter({ hasText: "given: --fast" }).waitFor();
  await ended(1, 3);
});

test("no page had an error", () => assert.deepEqual(errors, []));
