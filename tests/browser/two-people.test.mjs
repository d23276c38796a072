// Two people in two browsers: they type in one file, run it, and both see the log.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openPage, screenshots, startBrowser, startServer, until } from "./harness.mjs";

let server;
let browser;
let ana;
let bo;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  ana = await openPage(browser, errors);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const shot = async (page, name) => screenshots && page.screenshot({ path: join(screenshots, `${name}.png`) });
const text = (page) => page.locator(".cm-content").innerText();

test("the printed link signs in, once", async () => {
  await ana.goto(server.link);
  await shot(ana, "sign-in");
  await ana.getByRole("button", { name: "Sign in" }).click();
  await ana.getByText("No tasks yet").waitFor();
  const stranger = await openPage(browser, [], {});
  await stranger.goto(server.link);
  await stranger.getByRole("button", { name: "Sign in" }).click();
  await stranger.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await stranger.context().close();
});

test("a new task opens with its main file, saved", async () => {
  await ana.getByLabel("Name of the new task").fill("Übung 1 你好");
  await ana.getByRole("button", { name: "New task" }).click();
  await ana.getByRole("heading", { name: "Übung 1 你好" }).waitFor();
  await ana.locator(".cm-content").waitFor();
  await ana.getByText("saved", { exact: true }).waitFor();
  assert.match(await text(ana), /print/);
});

test("two people type in one file and see the same", async () => {
  bo = await (await ana.context().newPage());
  bo.on("pageerror", (error) => errors.push(error.message));
  await bo.goto(ana.url());
  await bo.locator(".cm-content").waitFor();
  await ana.locator(".cm-content").click();
  await ana.keyboard.press("Control+Home");
  await ana.keyboard.type("# from ana\n");
  await bo.locator(".cm-content").click();
  await bo.keyboard.press("Control+End");
  await bo.keyboard.type("\nprint('from bo')\n");
  await until(async () => {
    const [left, right] = [await text(ana), await text(bo)];
    return left.includes("# from ana") && left.includes("from bo") && right.includes("# from ana") && right.includes("from bo");
  }, "both texts in both browsers");
  await ana.getByText("saved", { exact: true }).waitFor();
});

test("a run started by one is seen by both, with its log and its end", async () => {
  await ana.getByRole("button", { name: "Run", exact: true }).click();
  for (const page of [ana, bo]) {
    await page.locator(".log").filter({ hasText: "from bo" }).waitFor();
    await page.locator(".run-tools .state-3").waitFor();
  }
  await shot(ana, "task");
});

test("stop ends a run that would go on for ever", async () => {
  await bo.locator(".cm-content").click();
  await bo.keyboard.press("Control+End");
  await bo.keyboard.type("import time\nprint('waiting', flush=True)\ntime.sleep(600)\n");
  await bo.getByText("saved", { exact: true }).waitFor();
  await bo.keyboard.press("Control+Enter");
  await ana.locator(".log").filter({ hasText: "waiting" }).waitFor();
  await ana.getByRole("button", { name: "Stop" }).click();
  await bo.locator(".run-tools .state-5").waitFor();
});

test("edits typed while the server is away are stored when it is back", async () => {
  await server.kill();
  await ana.getByText(/^offline/).waitFor();
  await ana.locator(".cm-content").click();
  await ana.keyboard.press("Control+Home");
  await ana.keyboard.type("# while away\n");
  await server.start();
  await ana.getByText("saved", { exact: true }).waitFor();
  await until(async () => (await text(bo)).includes("# while away"), "the edit in the other browser");
});

test("the list shows the task and it can be deleted", async () => {
  await ana.getByRole("link", { name: "Tasks" }).click();
  await ana.getByText("Übung 1 你好").waitFor();
  await shot(ana, "tasks");
  ana.on("dialog", (dialog) => dialog.accept());
  await ana.getByRole("button", { name: "Delete Übung 1 你好" }).click();
  await ana.getByText("No tasks yet").waitFor();
  await bo.getByText("This task was deleted").waitFor();
});

test("no page had an error", () => assert.deepEqual(errors, []));
