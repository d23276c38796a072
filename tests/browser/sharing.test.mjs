// Sharing by link, losing access, strangers, tokens, and the page in Chinese.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openPage, openTask, signedIn, startBrowser, startServer, textOf, typeAt, until } from "./harness.mjs";

let server;
let other;
let browser;
let ana;
let cy;
let task;
let link;
const errors = [];

before(async () => {
  server = await startServer();
  browser = await startBrowser();
  const people = [await server.person("ana"), await server.person("cy")];
  task = await server.task("shared", "python", { ana: "owner" });
  // On a cluster the two are at different servers.
  other = { url: server.otherUrl };
  [ana, cy] = await Promise.all(people.map((person, index) => signedIn(browser, index === 0 ? server : other, person, errors)));
  await openTask(ana, server, task);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

test("a stranger is told in words, and not whether the task exists", async () => {
  for (const id of [task, "01a2039f-c488-7170-bea5-000000000000"]) {
    const page = await cy.context().newPage();
    await page.goto(`${other.url}/tasks/${id}`);
    await page.getByText("This task does not exist, or it is not shared with you.").waitFor();
    await page.close();
  }
});

test("a link lets somebody in to read", async () => {
  await ana.getByRole("button", { name: "Share" }).click();
  await ana.getByRole("button", { name: "Make a link" }).click();
  link = await ana.locator(".secret code").innerText();
  assert.match(link, /\/join#\w+/);
  await cy.goto(other.url + new URL(link).pathname + new URL(link).hash);
  await cy.getByRole("heading", { name: "Join “shared”" }).waitFor();
  await cy.getByText("ana invites you. Your access: Can view.").waitFor();
  await cy.getByRole("button", { name: "Join" }).click();
  await cy.locator(".stored[data-state=read-only]").waitFor();
  const before = await textOf(cy);
  await typeAt(cy, "start", "no");
  assert.equal(await textOf(cy), before);
});

test("who signs in on the way to a link comes to it afterwards", async () => {
  const dan = await server.person("dan");
  const page = await openPage(browser, errors);
  await page.goto(link);
  await page.getByLabel("Name").fill(dan.name);
  await page.getByLabel("Password").fill(dan.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Join “shared”" }).waitFor();
  await page.context().close();
});

test("a link that is ended takes the access with it, at once and in words", async () => {
  await ana.getByRole("button", { name: "End this link" }).click();
  await ana.getByRole("dialog", { name: "End this link" }).getByRole("button", { name: "End", exact: false }).last().click();
  await cy.getByText("This task does not exist, or it is not shared with you.").waitFor();
  assert.equal(await cy.getByText("This file was deleted.").count(), 0);
  await cy.goto(link);
  await cy.getByText("This link has ended or was used up.").waitFor();
});

test("somebody added by name types, and the owner sees who it is", async () => {
  await ana.getByLabel("Name of a user").fill("cy");
  await ana.getByRole("button", { name: "Add", exact: true }).click();
  await ana.getByLabel("Role of cy").waitFor();
  // Said above the open dialog, and within reach.
  await ana.locator(".toast").filter({ hasText: "cy has access now." }).getByRole("button", { name: "Close" }).click();
  await ana.getByLabel("Name of a user").fill("nobody");
  await ana.getByRole("button", { name: "Add", exact: true }).click();
  await ana.getByRole("dialog").getByRole("alert").filter({ hasText: /\w/ }).waitFor();
  await ana.keyboard.press("Escape");
  await openTask(cy, other, task);
  await typeAt(cy, "start", "# from cy\n");
  await until(async () => (await textOf(ana)).includes("# from cy"), "cy's line at ana's");
  await ana.locator(".other-name").filter({ hasText: "cy" }).waitFor({ state: "attached" });
});

test("a link that lets nobody in any more is marked, with the reason", async () => {
  const eve = await server.person("eve");
  await server.call("PUT", `/tasks/${task}/members/eve`, { role: "owner" });
  const page = await signedIn(browser, other, eve, errors);
  await openTask(page, other, task);
  await page.getByRole("button", { name: "Share" }).click();
  await page.getByLabel("For whom (optional)").fill("by eve");
  await page.getByRole("button", { name: "Make a link" }).click();
  const line = page.locator(".link-line").filter({ hasText: "by eve" });
  await line.waitFor();
  const reason = "Lets nobody in: its maker eve is no owner any more.";
  assert.equal(await page.getByText(reason).count(), 0);
  await page.context().close();
  await server.call("PUT", `/tasks/${task}/members/eve`, { role: "editor" });
  await ana.getByRole("button", { name: "Share" }).click();
  await ana.locator(".link-line").filter({ hasText: "by eve" }).getByText(reason).waitFor();
  await ana.keyboard.press("Escape");
});

test("a token that was made works and is shown once", async () => {
  await cy.goto(`${server.url}/account`);
  await cy.getByPlaceholder("What it is for").fill("script");
  await cy.getByRole("button", { name: "Make a token" }).click();
  const secret = await cy.locator(".secret code").innerText();
  const answer = await fetch(`${server.url}/api/v1/tasks`, { headers: { authorization: `Bearer ${secret}` } });
  assert.equal(answer.status, 200);
  await cy.reload();
  await cy.getByText("script").waitFor();
  assert.equal(await cy.getByText(secret).count(), 0);
});

test("the page speaks Chinese and keeps the choice", async () => {
  await cy.getByRole("button", { name: "Menu of cy" }).click();
  await cy.getByRole("menuitemradio", { name: "中文" }).click();
  await cy.getByRole("heading", { name: "API 令牌" }).waitFor();
  await cy.goto(server.url);
  await cy.getByRole("heading", { name: "任务", exact: true }).waitFor();
  assert.equal(await cy.locator("html").getAttribute("lang"), "zh");
});

test("dark is kept, and signing out ends the session", async () => {
  await cy.getByRole("button", { name: "cy 的菜单" }).click();
  await cy.getByRole("menuitemradio", { name: "深色" }).click();
  await cy.reload();
  assert.equal(await cy.locator("html").getAttribute("data-theme"), "dark");
  await cy.getByRole("button", { name: "cy 的菜单" }).click();
  await cy.getByRole("menuitem", { name: "退出登录" }).click();
  await cy.getByLabel("密码").waitFor();
  await cy.goto(`${server.url}/tasks/${task}`);
  await cy.getByLabel("密码").waitFor();
});

test("no page had an error", () => assert.deepEqual(errors, []));
