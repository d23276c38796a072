// A task that ran twice: the files of a run beside those of now, and beside those of the other run.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTask, signedIn, startBrowser, startServer, until } from "./harness.mjs";

let server;
let browser;
let page;
let task;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  const person = await server.person("ana");
  task = await server.task("compared", "python", { ana: "owner" });
  await put("run.py", "print('first text')\n");
  await put("gone.txt", "only in the first run\n");
  page = await signedIn(browser, server, person, errors);
  await openTask(page, server, task);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const put = (path, text) => server.call("PUT", `/tasks/${task}/files/${path}`, text);
const dialog = () => page.getByRole("dialog", { name: "Compare" });
const lines = (side) => dialog().locator(`.cm-content[aria-label=${side}]`).innerText();
/** The files that the comparison lists, with what became of each. */
const listed = async () => {
  const rows = await dialog().locator("nav li").all();
  return Promise.all(rows.map(async (row) => `${await row.locator(".hidden-text").textContent()} ${(await row.locator("button").textContent()).replace(/^.(?:added|removed|changed)/u, "")}`));
};

/** Runs what is there and waits until the run with this number and what it printed are shown. */
async function run(number, printed) {
  await page.keyboard.press("Control+Enter");
  await page.getByRole("button", { name: `#${number} · ana` }).waitFor();
  await page.locator(".run-state.state-3").waitFor();
  await page.locator(".log").filter({ hasText: printed }).waitFor();
}

async function showFile(name) {
  await dialog().locator("nav").getByRole("button", { name: new RegExp(`${name}$`) }).click();
  await dialog().locator("nav [aria-current=true]").filter({ hasText: name }).waitFor();
}

test("a past run's files are shown beside those of now", async () => {
  await run(1, "first text");
  await put("run.py", "print('second text')\n");
  await put("new.txt", "only from now on\n");
  await server.call("DELETE", `/tasks/${task}/files/gone.txt`);
  await page.getByRole("button", { name: "Compare with now" }).click();
  await dialog().getByRole("status").filter({ hasText: "3 files differ." }).waitFor();
  assert.deepEqual(await listed(), ["removed gone.txt", "added new.txt", "changed run.py"]);
  await showFile("run.py");
  await until(async () => (await lines("Before")).includes("first text") && (await lines("After")).includes("second text"), "both texts of run.py");
  assert.equal((await lines("After")).includes("first text"), false);
  await showFile("gone.txt");
  await until(async () => (await lines("Before")).includes("only in the first run"), "the text that is gone");
  assert.equal((await lines("After")).trim(), "");
  await dialog().locator("header").getByRole("button", { name: "Close" }).click();
  await dialog().waitFor({ state: "hidden" });
});

test("two runs are compared from the list of runs, the older one on the left", async () => {
  await run(2, "second text");
  await put("run.py", "print('third text')\n");
  await page.getByTitle("All runs").click();
  const runs = page.getByRole("dialog", { name: "Runs of the task" });
  await runs.getByRole("button", { name: "Compare run 2" }).click();
  await page.getByRole("menuitem", { name: "#1 · ana" }).click();
  await runs.waitFor({ state: "hidden" });
  await dialog().getByRole("status").filter({ hasText: "3 files differ." }).waitFor();
  assert.deepEqual(await listed(), ["removed gone.txt", "added new.txt", "changed run.py"]);
  await showFile("run.py");
  await until(async () => (await lines("Before")).includes("first text") && (await lines("After")).includes("second text"), "what the two runs ran");
});

test("a side is exchanged in the open comparison, and files that are the same can be shown too", async () => {
  await dialog().getByRole("combobox", { name: "After" }).selectOption("now");
  await until(async () => (await lines("After")).includes("third text"), "what is there now");
  await dialog().getByRole("combobox", { name: "Before" }).selectOption({ index: 1 });
  await dialog().getByRole("status").filter({ hasText: "1 file differs." }).waitFor();
  assert.deepEqual(await listed(), ["changed run.py"]);
  await until(async () => (await lines("Before")).includes("second text"), "what the second run ran");
  await dialog().getByLabel("Show unchanged files").check();
  await dialog().locator("nav").getByRole("button", { name: /run\.sh$/ }).waitFor();
  await page.keyboard.press("Escape");
  await dialog().waitFor({ state: "hidden" });
});

test("no page had an error", () => assert.deepEqual(errors, []));
