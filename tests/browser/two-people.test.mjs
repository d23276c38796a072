// Two people, each in a browser context of their own: they type in one file, run it, and both see the log.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, openTask, saved, signedIn, startBrowser, startServer, textOf, typeAt, until } from "./harness.mjs";

let server;
let browser;
let ana;
let bo;
let task;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  task = await server.task("Übung 1 你好", "python", { [(await server.person("ana")).name]: "owner", [(await server.person("bo")).name]: "editor" });
  ana = await signedIn(browser, server, { name: "ana", password: "a long enough password" }, errors);
  // On a cluster the two are at different servers.
  bo = await signedIn(browser, { url: server.otherUrl }, { name: "bo", password: "a long enough password" }, errors);
  await openTask(ana, server, task);
  await openTask(bo, { url: server.otherUrl }, task);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("the printed link signs in, once", async () => {
  const page = await openPage(browser, errors);
  await page.goto(server.link);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Tasks" }).waitFor();
  await page.context().close();
  const stranger = await openPage(browser, []);
  await stranger.goto(server.link);
  await stranger.getByRole("button", { name: "Sign in" }).click();
  await stranger.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await stranger.context().close();
});

test("two people type in one file at once and see the same", async () => {
  await Promise.all([typeAt(ana, "start", "# from ana\n"), typeAt(bo, "end", "\nprint('from bo')\n")]);
  await until(async () => {
    const [left, right] = [await textOf(ana), await textOf(bo)];
    return left === right && left.includes("# from ana") && left.includes("from bo");
  }, "both texts in both browsers");
  await saved(ana);
  await saved(bo);
});

test("undo takes back one's own edits only", async () => {
  await typeAt(ana, "start", "# mine\n");
  await until(async () => (await textOf(bo)).includes("# mine"), "ana's edit at bo's");
  await typeAt(bo, "start", "# theirs\n");
  await until(async () => (await textOf(ana)).includes("# theirs"), "bo's edit at ana's");
  await ana.locator(".cm-content").click();
  await ana.keyboard.press("Control+z");
  await until(async () => !(await textOf(bo)).includes("# mine"), "the undone edit gone");
  assert.ok((await textOf(ana)).includes("# theirs"));
});

test("two who would have the same colour have two, and everybody sees the same", async () => {
  // As the page does it: see web/src/room/colour-claims.ts.
  const usual = ({ id }) => [...id].reduce((sum, letter) => (sum * 31 + letter.codePointAt(0)) >>> 0, 0) % 8;
  const byColour = new Map();
  let alike;
  for (let number = 1; !alike; number++) {
    const person = await server.person(`person ${number}`);
    const other = byColour.get(usual(person));
    if (other) alike = [other, person];
    byColour.set(usual(person), person);
  }
  const both = await server.task("colours", "python", { ana: "owner", [alike[0].name]: "editor", [alike[1].name]: "editor" });
  const watcher = await ana.context().newPage();
  await openTask(watcher, server, both);
  const pages = [];
  for (const [index, person] of alike.entries()) {
    const at = { url: index === 0 ? server.url : server.otherUrl };
    const page = await signedIn(browser, at, person, errors);
    await openTask(page, at, both);
    await page.locator(".cm-content").click();
    pages.push(page);
  }
  const colourAt = (page, { name }) => page.getByRole("button", { name: `Follow ${name}` }).evaluate((sign) => sign.style.getPropertyValue("--person"));
  const cursorAt = (page, { name }) => page.locator(".other-caret", { hasText: name }).evaluate((caret) => `var(--${[...caret.classList].find((each) => each.startsWith("person-"))})`);
  await until(async () => {
    const [first, second] = await Promise.all(alike.map((person) => colourAt(watcher, person)));
    const seen = await Promise.all([colourAt(pages[1], alike[0]), colourAt(pages[0], alike[1]), cursorAt(watcher, alike[0]), cursorAt(watcher, alike[1])]);
    return first !== second && JSON.stringify(seen) === JSON.stringify([first, second, first, second]);
  }, "two colours, the same for all three");
  await Promise.all([watcher.close(), ...pages.map((page) => page.context().close())]);
});

test("a run started by one is seen by both, with its log and its end", async () => {
  await ana.getByRole("button", { name: "Run", exact: true }).click();
  for (const page of [ana, bo]) {
    await page.locator(".log").filter({ hasText: "from bo" }).waitFor();
    await page.locator(".state-3").first().waitFor();
  }
});

test("stop ends a run that would go on for ever", async () => {
  await typeAt(bo, "end", "import time\nprint('waiting', flush=True)\ntime.sleep(600)\n");
  await saved(bo);
  await bo.keyboard.press("Control+Enter");
  await ana.locator(".log").filter({ hasText: "waiting" }).waitFor();
  await ana.getByRole("button", { name: "Stop" }).click();
  await bo.locator(".state-5").first().waitFor();
});

test("edits typed while the server is away wait and are stored when it is back", async () => {
  await server.kill();
  await ana.locator(".stored[data-state=offline]").waitFor();
  await typeAt(ana, "start", "# while away\n");
  await ana.locator(".stored[data-state=offline-with-edits]").waitFor();
  await server.start();
  await saved(ana);
  await until(async () => (await textOf(bo)).includes("# while away"), "the edit in the other browser");
});

test("unsent edits survive a reload of the page", async () => {
  await server.kill();
  await ana.locator(".stored[data-state=offline]").waitFor();
  await typeAt(ana, "start", "# before the reload\n");
  // Said only when the device's storage has confirmed the last key.
  await ana.locator(".stored[data-state=offline-with-edits]").waitFor();
  const address = ana.url();
  await ana.goto("about:blank");
  await server.start();
  await ana.goto(address);
  await saved(ana);
  assert.ok((await textOf(ana)).includes("# before the reload"));
  await until(async () => (await textOf(bo)).includes("# before the reload"), "the edit in the other browser");
});

test("edits for a file that was deleted meanwhile are not lost", async () => {
  await ana.getByRole("button", { name: "New file" }).click();
  await ana.getByLabel("Name of the new file").fill("draft.md");
  await ana.keyboard.press("Enter");
  await ana.getByRole("tab", { name: "draft.md", selected: true }).waitFor();
  await saved(ana);
  await server.kill();
  await ana.locator(".stored[data-state=offline]").waitFor();
  await typeAt(ana, "start", "an hour of thought");
  await ana.locator(".stored[data-state=offline-with-edits]").waitFor();
  const address = ana.url();
  await ana.goto("about:blank");
  await server.start();
  await server.call("DELETE", `/tasks/${task}/files/draft.md`);
  await ana.goto(address);
  await ana.getByText("This file was deleted.").waitFor();
  await ana.locator(".stored[data-state=gone]").waitFor();
  assert.equal(await textOf(ana), "an hour of thought");
  await ana.getByRole("button", { name: "Save as a new file" }).click();
  await ana.getByRole("tab", { name: "restored.txt", selected: true }).waitFor();
  await saved(ana);
  assert.equal(await textOf(ana), "an hour of thought");
});

test("no page had an error", () => assert.deepEqual(errors, []));
