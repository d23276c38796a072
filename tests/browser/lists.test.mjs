// The lists of a person: tasks (search, language, rename, delete, who is in it, what became of the newest run), browsers that are
// signed in, tokens, members. And every page in a small window.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTask, signedIn, startBrowser, startServer, until } from "./harness.mjs";

const SMALL = { width: 1024, height: 700 };

let server;
let there;
let browser;
let person;
let ana;
let bo;
const tasks = {};
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  person = await server.person("ana");
  const other = await server.person("bo");
  for (const [name, language] of [["Sorting lists", "scala"], ["Linear model", "r"], ["First steps 第一步", "python"]]) {
    tasks[name] = await server.task(name, language, { ana: "owner", bo: "editor" });
  }
  // On a cluster the two are at different servers.
  there = { url: server.otherUrl };
  [ana, bo] = await Promise.all([signedIn(browser, server, person, errors, { viewport: SMALL }), signedIn(browser, there, other, errors)]);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const row = (name) => ana.locator(".task-rows li").filter({ hasText: name });
const names = () => ana.locator(".task-rows .task-link").allInnerTexts();

/** Waits until the list has these tasks and no other. */
const listed = (...wanted) => until(async () => JSON.stringify((await names()).sort()) === JSON.stringify(wanted.sort()), `${wanted.join(", ")} and nothing else in the list`);

/** Nothing is wider than the window, and no button or field ends beyond it. */
async function fits(page, where) {
  const beyond = await page.evaluate(() => {
    const all = [...document.querySelectorAll("button, a, input, select, h1, h2, dialog")].filter((each) => each.offsetParent !== null && !each.closest(".hidden-text, .tab-bar, .cm-editor"));
    const edge = (each) => (each.closest("dialog") ?? document.documentElement).getBoundingClientRect();
    const out = all.filter((each) => each.getBoundingClientRect().right > edge(each).right + 1 || each.getBoundingClientRect().left < edge(each).left - 1).map((each) => each.outerHTML.slice(0, 120));
    return document.documentElement.scrollWidth > innerWidth ? [...out, `the page is ${document.documentElement.scrollWidth} wide`] : out;
  });
  assert.deepEqual(beyond, [], `${where} at ${SMALL.width}x${SMALL.height}`);
}

test("tasks are found by words, also with the keyboard, and by language", async () => {
  await listed("Sorting lists", "Linear model", "First steps 第一步");
  await ana.keyboard.press("/");
  await ana.keyboard.type("步");
  await listed("First steps 第一步");
  await ana.keyboard.press("Control+a");
  await ana.keyboard.type("nothing like it");
  await ana.getByText("No task has these words.").waitFor();
  await ana.getByRole("button", { name: "Clear search" }).click();
  await listed("Sorting lists", "Linear model", "First steps 第一步");
  await ana.getByLabel("Language", { exact: true }).selectOption("scala");
  await listed("Sorting lists");
  await ana.getByLabel("Language", { exact: true }).selectOption("");
  await listed("Sorting lists", "Linear model", "First steps 第一步");
  await fits(ana, "the list of tasks");
});

test("a task gets another name and remarks", async () => {
  await ana.getByRole("button", { name: "Actions for Linear model" }).click();
  await ana.getByRole("menuitem", { name: "Name and remarks" }).click();
  const dialog = ana.getByRole("dialog", { name: "Name and remarks" });
  await dialog.getByLabel("Name").fill("Linear models");
  await dialog.getByLabel("Remarks").fill("Week 4");
  await dialog.getByRole("button", { name: "Save" }).click();
  await row("Linear models").getByText("Week 4").waitFor();
});

test("the list shows who is in a task and what became of its newest run, by itself", async () => {
  const id = tasks["First steps 第一步"];
  await row("First steps").getByText("never run").waitFor();
  // The list names those who are at the same server.
  await openTask(bo, server, id);
  await row("First steps").getByText("Here now: bo").waitFor({ state: "attached" });
  await server.call("PUT", `/tasks/${id}/files/run.py`, "import sys\nprint('counted')\nsys.exit(3)\n");
  await bo.locator(".cm-content").filter({ hasText: "counted" }).waitFor();
  await bo.keyboard.press("Control+Enter");
  await row("First steps").getByText("failed").waitFor();
});

test("a task is deleted only after the question, and is gone for those in it", async () => {
  await openTask(bo, there, tasks["Sorting lists"]);
  const question = ana.getByRole("dialog", { name: "Delete “Sorting lists”?" });
  await ana.getByRole("button", { name: "Actions for Sorting lists" }).click();
  await ana.getByRole("menuitem", { name: "Delete" }).click();
  await question.getByRole("button", { name: "Cancel" }).click();
  await question.waitFor({ state: "hidden" });
  assert.ok((await names()).includes("Sorting lists"));
  await ana.getByRole("button", { name: "Actions for Sorting lists" }).click();
  await ana.getByRole("menuitem", { name: "Delete" }).click();
  await question.getByRole("button", { name: "Delete" }).click();
  await listed("Linear models", "First steps 第一步");
  await bo.getByText("This task was deleted.").waitFor();
});

test("the pages of a task fit into a small window", async () => {
  await openTask(ana, server, tasks["First steps 第一步"]);
  await ana.locator(".run-state.state-4").waitFor();
  await server.call("POST", `/tasks/${tasks["First steps 第一步"]}/runs`, { command: "true", remarks: "a remark that is longer than any list of runs is wide, and so on and on and on and on" });
  await ana.locator(".run-state.state-3").waitFor();
  await fits(ana, "a task");
  await ana.getByRole("button", { name: "Share" }).click();
  await ana.locator(".members li").nth(1).waitFor();
  await fits(ana, "sharing");
  await ana.keyboard.press("Escape");
  await ana.getByTitle("All runs").click();
  await ana.locator(".run-list li").first().waitFor();
  await fits(ana, "the runs");
  await ana.keyboard.press("Escape");
  await ana.getByRole("button", { name: "Compare with now" }).click();
  await ana.getByRole("dialog", { name: "Compare" }).getByRole("status").filter({ hasText: "differ" }).waitFor();
  await fits(ana, "a comparison");
  await ana.keyboard.press("Escape");
});

test("a member is removed and loses the task; somebody else leaves by themselves", async () => {
  const id = tasks["First steps 第一步"];
  await openTask(bo, there, id);
  await ana.getByRole("button", { name: "Share" }).click();
  await ana.getByRole("button", { name: "Remove bo" }).click();
  await bo.getByText("This task does not exist, or it is not shared with you.").waitFor();
  await ana.getByLabel("Role of bo").waitFor({ state: "hidden" });
  await ana.keyboard.press("Escape");
  await openTask(bo, there, await server.task("to leave", "python", { bo: "editor" }));
  await bo.getByRole("button", { name: "Share" }).click();
  await bo.getByRole("button", { name: "Leave this task" }).click();
  await bo.getByRole("dialog", { name: "Leave this task" }).getByRole("button", { name: "Leave this task" }).last().click();
  await bo.getByRole("heading", { name: "Tasks" }).waitFor();
  await bo.locator(".task-rows li, .no-tasks").first().waitFor();
  assert.equal(await bo.getByText("to leave").count(), 0);
});

test("browsers that are signed in are listed, and one is signed out from another", async () => {
  const elsewhere = await signedIn(browser, there, person, errors);
  await ana.goto(`${server.url}/account`);
  await ana.getByText("this one").waitFor();
  await fits(ana, "the account");
  await ana.getByRole("button", { name: /^Sign out Chrom/ }).click();
  await until(async () => (await ana.locator("[aria-labelledby=sessions] li").count()) === 1, "one browser left");
  await elsewhere.reload();
  await elsewhere.getByLabel("Password").waitFor();
  await elsewhere.context().close();
});

test("each list of the account stands on its own: one that cannot be had says so, and is tried again", async () => {
  const page = await ana.context().newPage();
  for (const [address, broken, other] of [["**/api/v1/sessions", "Signed-in browsers", "API tokens"], ["**/api/v1/tokens", "API tokens", "Signed-in browsers"]]) {
    await page.route(address, (route) => route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"code":"unavailable","detail":"Not now."}' }), { times: 1 });
    await page.goto(`${server.url}/account`);
    const section = page.locator("section").filter({ has: page.getByRole("heading", { name: broken }) });
    await section.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
    await page.locator("section").filter({ has: page.getByRole("heading", { name: other }) }).getByRole("list").waitFor();
    await section.getByRole("button", { name: "Try again" }).click();
    await section.getByRole("list").waitFor();
    assert.equal(await section.getByRole("alert").count(), 0);
  }
  await page.close();
});

test("a new password is asked for, told when it is refused, and counts at once", async () => {
  await ana.getByLabel("Current password").fill("not the password");
  await ana.getByLabel("New password").fill("another long password");
  await ana.getByRole("button", { name: "Change password" }).click();
  await ana.getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await ana.getByLabel("Current password").fill(person.password);
  await ana.getByRole("button", { name: "Change password" }).click();
  await ana.getByText("The password was changed").waitFor();
  const again = await signedIn(browser, server, { name: "ana", password: "another long password" }, errors);
  await again.context().close();
});

test("a token that was deleted lets nobody in", async () => {
  await ana.getByPlaceholder("What it is for").fill("old laptop");
  await ana.getByRole("button", { name: "Make a token" }).click();
  const secret = await ana.locator(".secret code").innerText();
  const answer = () => fetch(`${server.url}/api/v1/tasks`, { headers: { authorization: `Bearer ${secret}` } });
  assert.equal((await answer()).status, 200);
  await ana.getByRole("button", { name: "Delete the token old laptop?" }).click();
  await ana.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await until(async () => (await ana.getByText("old laptop").count()) === 0, "the token gone from the list");
  assert.equal((await answer()).status, 401);
});

test("no page had an error", () => assert.deepEqual(errors, []));
