// A log of 200,000 lines: whole, in order, scrolled through, and gone on with after the server was away.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTask, signedIn, startBrowser, startServer, until } from "./harness.mjs";

const LINES = 200_000;

let server;
let browser;
let page;
let task;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  const person = await server.person("ana");
  task = await server.task("log", "python", { ana: "owner" });
  const program = `print("\\x1b[31mred\\x1b[0m and plain")\nprint("\\n".join(f"line {i}" for i in range(1, ${LINES})))\n`;
  await server.call("PUT", `/tasks/${task}/files/run.py`, program);
  page = await signedIn(browser, server, person, errors);
  await openTask(page, server, task);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const log = () => page.locator(".log");
const count = async () => Number(await log().getAttribute("data-lines"));

test("all lines come, and the view is at the last one", async () => {
  await page.keyboard.press("Control+Enter");
  await until(async () => (await count()) === LINES, `${LINES} lines`);
  await log().getByText(`line ${LINES - 1}`, { exact: true }).waitFor();
  assert.ok((await log().locator(".log-line").count()) < 200, "only what is seen is in the page");
});

test("scrolling up lets go of the end and shows the first line in its colour", async () => {
  await log().evaluate((element) => (element.scrollTop = 0));
  await log().getByText("red", { exact: true }).waitFor();
  assert.match(await log().getByText("red", { exact: true }).getAttribute("class"), /ansi-front-red/);
  await page.getByRole("button", { name: "To the end" }).click();
  await log().getByText(`line ${LINES - 1}`, { exact: true }).waitFor();
});

test("every line in the middle is where its number says", async () => {
  for (const line of [1, 77_777, 150_000]) {
    await log().evaluate((element, top) => (element.scrollTop = top), line * 20);
    await log().getByText(`line ${line}`, { exact: true }).waitFor();
  }
});

test("a log that goes on while the server is away comes whole, with no line twice", async () => {
  const program = `import time\nfor i in range(400):\n    print(f"tick {i}", flush=True)\n    time.sleep(0.02)\n`;
  await server.call("PUT", `/tasks/${task}/files/run.py`, program);
  await page.locator(".cm-content").filter({ hasText: "tick" }).waitFor();
  await page.keyboard.press("Control+Enter");
  await log().getByText(/^tick \d+$/).first().waitFor();
  await server.kill();
  await page.locator(".stored[data-state^=offline]").waitFor();
  await server.start();
  await page.locator(".run-state.state-3").waitFor();
  await until(async () => (await count()) === 400, "400 lines, no more and no fewer");
  await log().getByText("tick 399", { exact: true }).waitFor();
});

test("no page had an error", () => assert.deepEqual(errors, []));
