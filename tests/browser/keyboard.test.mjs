// A task from making to running with the keyboard alone; axe finds no serious fault on any page, in light and dark.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { openPage, openTask, saved, signedIn, startBrowser, startServer, textOf, until } from "./harness.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let server;
let browser;
let page;
let person;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  person = await server.person("ana");
  page = await openPage(browser, errors);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Presses Tab until the focus is on what the selector names. */
async function tabTo(selector, what) {
  for (let presses = 0; presses < 40; presses++) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`Tab does not reach ${what}`);
}

/** Waits until the row of this file has the focus. */
const focusedRow = (path) => page.locator(`[role=treeitem][data-path='${path}']:focus`).waitFor();

async function serious(where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = bad.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.slice(0, 4).map(({ html, failureSummary }) => `    ${html}\n      ${failureSummary}`).join("\n")}`);
  assert.deepEqual(told, [], `on ${where}`);
}

test("signing in, making a task, typing, running: without a pointer", async () => {
  await page.goto(server.url);
  await page.getByLabel("Name").waitFor();
  await page.keyboard.type(person.name);
  await page.keyboard.press("Tab");
  await page.keyboard.type(person.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Tasks" }).waitFor();
  await page.keyboard.press("n");
  await page.keyboard.type("by keyboard");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "by keyboard" }).waitFor();
  await page.locator(".cm-content").waitFor();
  await saved(page);
  await tabTo(".tree [role=treeitem]", "the tree");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  await tabTo("[role=tab]", "the tabs");
  await tabTo(".cm-content", "the editor");
  await page.keyboard.press("Control+Home");
  await page.keyboard.type("print('typed')\n");
  await saved(page);
  await page.keyboard.press("Control+Enter");
  await page.locator(".log").filter({ hasText: "typed" }).waitFor();
  await page.keyboard.press("Escape");
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement?.closest(".cm-content") === null), true, "Escape and Tab leave the editor");
});

test("files are made, renamed, moved and deleted without a pointer", async () => {
  await tabTo("[aria-label='Actions for files']", "the menu of files");
  await page.keyboard.press("Enter");
  await page.keyboard.press("Enter");
  await page.keyboard.type("notes.md");
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "notes.md", selected: true }).waitFor();
  await focusedRow("notes.md");
  await page.keyboard.press("F2");
  await page.keyboard.press("Escape");
  await focusedRow("notes.md");
  await page.keyboard.press("F2");
  await page.keyboard.press("Control+a");
  await page.keyboard.type("docs/notes.md");
  await page.keyboard.press("Enter");
  await focusedRow("docs/notes.md");
  await page.keyboard.press("Shift+F10");
  await page.getByRole("menuitem", { name: "Move to…" }).waitFor();
  await page.keyboard.press("m");
  await page.keyboard.press("Escape");
  await focusedRow("docs/notes.md");
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").waitFor();
  await page.keyboard.press("Enter");
  await until(async () => (await page.locator("[data-path='docs/notes.md']").count()) === 0, "the file gone");
  await focusedRow("run.py");
});

test("search and go-to-file are reached by keys", async () => {
  await page.keyboard.press("Control+Shift+f");
  await page.keyboard.type("typed");
  await page.locator(".hit").waitFor();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await until(async () => (await page.evaluate(() => getSelection()?.toString())) === "typed", "the hit selected");
  await page.keyboard.press("Control+p");
  await page.keyboard.type("run.sh");
  await page.keyboard.press("Enter");
  await page.getByRole("tab", { name: "run.sh", selected: true }).waitFor();
  assert.match(await textOf(page), /python/);
});

for (const scheme of ["light", "dark"]) {
  test(`axe finds no serious fault (${scheme})`, async () => {
    const id = await server.task(`looked at ${scheme}`, "python", { ana: "owner" });
    page = await openPage(browser, errors, { colorScheme: scheme });
    await page.goto(`${server.url}/sign-in`);
    await page.getByLabel("Password").waitFor();
    await serious("sign-in");
    await page.context().close();
    page = await signedIn(browser, server, person, errors, { colorScheme: scheme });
    await page.locator(".task-rows li").first().waitFor();
    await serious("tasks");
    await page.keyboard.press("n");
    await page.getByRole("dialog").waitFor();
    await serious("new task");
    await openTask(page, server, id);
    await page.keyboard.press("Control+Enter");
    await page.locator(".state-3").first().waitFor();
    await serious("a task");
    await page.getByTitle("All runs").click();
    await page.locator(".run-list li").first().waitFor();
    await serious("the list of runs");
    await page.keyboard.press("Escape");
    await server.call("PUT", `/tasks/${id}/files/run.py`, "# another program\nprint('hello', 5) \n");
    await page.getByRole("button", { name: "Compare with now" }).click();
    await page.getByRole("dialog", { name: "Compare" }).locator(".cm-changedText").first().waitFor();
    await serious("a comparison");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Share" }).click();
    await page.locator(".members li").first().waitFor();
    await page.getByRole("button", { name: "Make a link" }).click();
    const link = await page.locator(".secret code").innerText();
    await serious("sharing");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+f");
    await page.keyboard.type("hello");
    await page.locator(".hit").first().waitFor();
    await serious("search");
    await page.goto(link);
    await page.getByRole("heading", { name: /^Join/ }).waitFor();
    await serious("joining");
    await page.goto(`${server.url}/account`);
    await page.getByRole("heading", { name: "API tokens" }).waitFor();
    await serious("account");
  });
}

test("no page had an error", () => assert.deepEqual(errors, []));
