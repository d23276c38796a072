// When something is wrong, the page says what holds: edits that cannot be stored, a file that is full, a server of another version.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, openTask, saved, signedIn, startBrowser, startServer, textOf, typeAt, until } from "./harness.mjs";

const MAX_TEXT_BYTES = 2 * 1024 * 1024;

let server;
let browser;
let ana;
let bo;
let task;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  const people = [await server.person("ana"), await server.person("bo")];
  task = await server.task("trouble", "python", { ana: "owner", bo: "editor" });
  // At one server, on a cluster too: a server that cannot store what it got says so to those who are at it.
  [ana, bo] = await Promise.all(people.map((person) => signedIn(browser, server, person, errors)));
  await Promise.all([openTask(ana, server, task), openTask(bo, server, task)]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const state = (page, name) => page.locator(`.stored[data-state=${name}]`);

test("while edits cannot be stored everybody is told so, nobody else sees them, and nothing is lost", async () => {
  const letGo = await server.holdTables();
  try {
    await typeAt(ana, "start", "# kept all the same\n");
    for (const page of [ana, bo]) {
      await state(page, "notStored").filter({ hasText: "Not stored, retrying" }).waitFor();
      await page.getByText("Edits cannot be stored at the moment. The server keeps trying.").waitFor();
    }
    assert.equal((await textOf(bo)).includes("kept all the same"), false);
  } finally {
    await letGo();
  }
  for (const page of [ana, bo]) await saved(page);
  await until(async () => (await textOf(bo)).includes("# kept all the same"), "the edit at bo's");
});

test("a file that is full refuses in words, and only that file", async () => {
  await server.call("PUT", `/tasks/${task}/files/full.txt`, `${"x".repeat(99)}\n`.repeat(MAX_TEXT_BYTES / 100 - 1));
  await ana.getByRole("treeitem", { name: /^full.txt/ }).click();
  await saved(ana);
  await ana.locator(".cm-content").click();
  await ana.keyboard.press("Control+Home");
  await ana.keyboard.insertText("y".repeat(400));
  await state(ana, "refused").waitFor();
  await ana.getByText("The file is as large as a text file may be.").waitFor();
  await saved(bo);
  await ana.keyboard.press("Control+z");
  await saved(ana);
  assert.equal((await textOf(ana)).includes("yyy"), false);
});

test("a server of another version is said, with what to do", async () => {
  const page = await openPage(browser, errors, { storageState: await ana.context().storageState() });
  await page.routeWebSocket(/\/ws\/tasks\//, (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => {
      if (typeof message === "string") return socket.send(message);
      // The same length, so that the frame around it holds.
      socket.send(Buffer.from(message.toString("latin1").replace('"protocol":1,', '"protocol":9,'), "latin1"));
    });
  });
  await page.goto(`${server.url}/tasks/${task}`);
  await page.getByText("The server was updated and speaks a newer version than this page.").waitFor();
  await page.getByRole("button", { name: "Load anew" }).waitFor();
  await page.context().close();
});

test("no page had an error", () => assert.deepEqual(errors, []));
