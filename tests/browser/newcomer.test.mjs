// The first hour: somebody opens the printed link, makes a task of each language, edits it with a second person, runs it, compares two
// runs and shares one task read-only. SCREENSHOTS=folder keeps a picture of each step.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openPage, saved, screenshots, signedIn, startBrowser, startServer, textOf, typeAt, until } from "./harness.mjs";

/** Longest that a run may take: the Scala compiler is no quick starter. */
const RUN_MS = 90_000;

let server;
let browser;
/** Who came by the printed link, and somebody with an account and a password. */
let host;
let guest;
const errors = [];

before(async () => {
  if (screenshots) mkdirSync(screenshots, { recursive: true });
  server = await startServer();
  browser = await startBrowser();
  guest = await signedIn(browser, { url: server.otherUrl }, await server.person("bo"), errors);
  host = await openPage(browser, errors);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

let steps = 0;
async function look(page, name) {
  if (screenshots) await page.screenshot({ path: join(screenshots, `${String(++steps).padStart(2, "0")}-${name}.png`) });
}

const stateOf = (page) => page.locator(".run-state");

/** Makes a task in the page; what is there is a program that works. */
async function makeTask(name, language) {
  await host.getByRole("button", { name: "New task" }).first().click();
  const dialog = host.getByRole("dialog", { name: "New task" });
  await dialog.getByLabel("Name").fill(name);
  await dialog.getByRole("radio", { name: language }).check();
  await look(host, `new-${language}`);
  await dialog.getByRole("button", { name: "Create" }).click();
  await host.getByRole("heading", { name, exact: true }).waitFor();
  await host.locator(".cm-content").waitFor();
  await saved(host);
  await look(host, `made-${language}`);
}

/** Makes a link in the share panel and has the guest come by it. */
async function invite(role) {
  await host.getByRole("button", { name: "Share" }).click();
  const dialog = host.getByRole("dialog", { name: "Share" });
  await dialog.getByRole("region", { name: "Links" }).getByLabel("What they may do").selectOption(role);
  await dialog.getByRole("button", { name: "Make a link" }).click();
  const link = await dialog.locator(".secret code").innerText();
  await look(host, `link-${role}`);
  await host.keyboard.press("Escape");
  await guest.goto(link);
  await guest.getByRole("heading", { name: /^Join/ }).waitFor();
  await look(guest, `join-${role}`);
  await guest.getByRole("button", { name: "Join" }).click();
  await guest.locator(".cm-content").waitFor();
}

/** Both type into the main file at once, at its two ends. */
async function typeTogether(top, bottom) {
  await Promise.all([typeAt(host, "start", `${top}\n`), typeAt(guest, "end", bottom)]);
  await until(async () => {
    const [mine, theirs] = [await textOf(host), await textOf(guest)];
    return mine === theirs && mine.includes(top) && mine.includes(bottom.trim());
  }, "both edits in both browsers");
  await saved(host);
  await saved(guest);
}

/** Runs what is there; both see the end and what was printed. */
async function run(number, printed, name) {
  await host.getByRole("button", { name: "Run", exact: true }).click();
  for (const page of [host, guest]) {
    await page.getByRole("button", { name: `#${number} · ` }).waitFor();
    await until(async () => /done|failed|stopped/.test(await stateOf(page).innerText()), `the end of run ${number}`, RUN_MS);
    assert.equal(await stateOf(page).innerText(), "done", await page.locator(".log").innerText());
    await page.locator(".log").filter({ hasText: printed }).waitFor();
  }
  await look(host, name);
  await look(guest, `${name}-guest`);
}

function needs(command, packageName) {
  const found = spawnSync(command, ["--version"], { stdio: "ignore" });
  assert.equal(found.error, undefined, `${command} is missing, so tasks of this language cannot run here: install ${packageName} (scripts/install test does)`);
}

const back = () => host.getByRole("link", { name: "To the tasks" }).click();

test("the printed link leads to an empty list that says what to do", async () => {
  await host.goto(server.link);
  await host.getByText("This link signs you in once").waitFor();
  await look(host, "link");
  await host.keyboard.press("Enter");
  await host.getByText("No tasks yet.").waitFor();
  await look(host, "no-tasks");
});

test("Python: made, edited by two, run twice", async () => {
  await makeTask("First steps", "Python");
  await invite("editor");
  await typeTogether("# by the host", "print('hello from the guest')\n");
  await look(host, "together");
  await run(1, "hello from the guest", "ran-python");
  await typeTogether("# changed by the host", "print('once more')\n");
  await run(2, "once more", "ran-python-again");
});

test("the two runs are compared", async () => {
  await host.getByTitle("All runs").click();
  const runs = host.getByRole("dialog", { name: "Runs of the task" });
  await runs.getByRole("button", { name: "Compare run 2" }).waitFor();
  await look(host, "runs");
  await runs.getByRole("button", { name: "Compare run 2" }).click();
  await look(host, "compare-with");
  await host.getByRole("menuitem", { name: "#1 · " }).click();
  const compare = host.getByRole("dialog", { name: "Compare" });
  await compare.getByRole("status").filter({ hasText: "1 file differs." }).waitFor();
  await until(async () => (await compare.locator(".cm-content[aria-label=After]").innerText()).includes("once more"), "the newer text");
  await look(host, "compared");
  await host.keyboard.press("Escape");
  await compare.waitFor({ state: "hidden" });
});

test("Scala: made, edited by two, run", async () => {
  needs("scala", "scala");
  await back();
  await makeTask("Sorting lists", "Scala");
  await invite("editor");
  await typeTogether("// by the host", "// by the guest\n");
  await run(1, /\w/, "ran-scala");
});

test("R: made, edited by two, run", async () => {
  needs("Rscript", "r-base-core");
  await back();
  await makeTask("Linear model", "R");
  await invite("editor");
  await typeTogether("# by the host", "cat('hello from the guest\\n')\n");
  await run(1, "hello from the guest", "ran-r");
});

test("one task is shared read-only: seen, and not changed", async () => {
  await back();
  await makeTask("To look at", "Python");
  await invite("viewer");
  await guest.locator(".stored[data-state=read-only]").waitFor();
  const before = await textOf(guest);
  await typeAt(guest, "start", "no");
  assert.equal(await textOf(guest), before);
  await typeAt(host, "start", "# seen at once\n");
  await until(async () => (await textOf(guest)).includes("# seen at once"), "the host's line at the guest's");
  await look(guest, "read-only");
  await run(1, /\w/, "ran-shared");
});

test("the list shows what became of it all", async () => {
  await back();
  for (const name of ["First steps", "Sorting lists", "Linear model", "To look at"]) await host.getByRole("listitem").filter({ hasText: name }).filter({ hasText: "done" }).waitFor();
  await host.getByRole("listitem").filter({ hasText: "To look at" }).getByText("Here now: bo").waitFor({ state: "attached" });
  await look(host, "tasks");
});

test("no page had an error", () => assert.deepEqual(errors, []));
