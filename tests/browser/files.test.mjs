// Files with two people: rename while typing, roles that change, deletion, zips in and out.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { openTask, saved, signedIn, startBrowser, startServer, textOf, typeAt, until } from "./harness.mjs";

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
  task = await server.task("files", "python", { ana: "owner", bo: "editor" });
  const other = { url: server.otherUrl };
  [ana, bo] = [await signedIn(browser, server, people[0], errors), await signedIn(browser, other, people[1], errors)];
  await openTask(ana, server, task);
  await openTask(bo, other, task);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

const row = (page, name) => page.getByRole("treeitem", { name: new RegExp(`^${name}`) });

/** Drops a file onto a row, as from outside of the browser. */
async function drop(page, target, name) {
  const data = await page.evaluateHandle((called) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File(["# dropped\n"], called));
    return transfer;
  }, name);
  await row(page, target).dispatchEvent("drop", { dataTransfer: data });
}

test("a file is made with its folder and opens for the one who made it", async () => {
  await ana.getByRole("button", { name: "New file" }).click();
  await ana.getByLabel("Name of the new file").fill("lib/tools.py");
  await ana.keyboard.press("Enter");
  await ana.getByRole("tab", { name: "tools.py" }).waitFor();
  await row(bo, "tools.py").click();
  await bo.getByRole("tab", { name: "tools.py", selected: true }).waitFor();
});

test("a rename keeps everybody's cursor and what they are typing", async () => {
  await typeAt(ana, "start", "first = 1\n");
  await until(async () => (await textOf(bo)).includes("first = 1"), "the line at bo's");
  await bo.locator(".cm-content").click();
  await bo.keyboard.press("Control+End");
  const typing = bo.keyboard.type("second = 2 # typed on and on while the file gets another name\n", { delay: 15 });
  await row(ana, "tools.py").focus();
  await ana.keyboard.press("F2");
  await ana.getByLabel("New name of lib/tools.py").fill("helpers.R");
  await ana.keyboard.press("Enter");
  await bo.getByRole("tab", { name: "helpers.R", selected: true }).waitFor();
  await typing;
  await bo.keyboard.type("third = 3");
  await until(async () => (await textOf(ana)).includes("third = 3"), "all that was typed at ana's");
  assert.equal(await textOf(ana), "first = 1\nsecond = 2 # typed on and on while the file gets another name\nthird = 3");
  await saved(bo);
});

test("a file is moved by drag and by keyboard", async () => {
  await row(ana, "run.sh").dragTo(row(ana, "lib"));
  await until(async () => (await row(bo, "run.sh").getAttribute("aria-level")) === "2", "run.sh below lib at bo's");
  await row(ana, "run.sh").focus();
  await ana.keyboard.press("Control+x");
  await row(ana, "run.py").focus();
  await ana.keyboard.press("Control+v");
  await until(async () => (await row(bo, "run.sh").getAttribute("aria-level")) === "1", "run.sh at the top at bo's");
});

test("a file is moved with the dialog, folders close and open, and a closed one shows who is in it", async () => {
  await row(ana, "run.sh").click({ button: "right" });
  await ana.getByRole("menuitem", { name: "Move to…" }).click();
  const dialog = ana.getByRole("dialog", { name: "Move run.sh to" });
  await dialog.getByLabel("Move to…").selectOption("lib");
  await dialog.getByRole("button", { name: "Move" }).click();
  await until(async () => (await row(bo, "run.sh").getAttribute("aria-level")) === "2", "run.sh below lib at bo's");
  await row(bo, "helpers.R").click();
  await row(ana, "helpers.R, bo here").locator(".dots[title='bo here'] i").waitFor();
  await row(ana, "lib").click();
  await row(ana, "helpers.R").waitFor({ state: "hidden" });
  await row(ana, "lib, bo here").locator(".dots i").waitFor();
  assert.equal(await row(ana, "lib").getAttribute("aria-expanded"), "false");
  await row(ana, "lib").focus();
  await ana.keyboard.press("ArrowRight");
  await row(ana, "helpers.R").waitFor();
  await row(ana, "run.sh").focus();
  await ana.keyboard.press("Control+x");
  await row(ana, "run.py").focus();
  await ana.keyboard.press("Control+v");
  await until(async () => (await row(bo, "run.sh").getAttribute("aria-level")) === "1", "run.sh at the top again");
});

test("another file is made the main one, for everybody", async () => {
  for (const [name, was] of [["run.sh", "run.py"], ["run.py", "run.sh"]]) {
    await row(ana, name).click({ button: "right" });
    await ana.getByRole("menuitem", { name: "Make it the main file" }).click();
    await row(bo, `${name}, main file`).waitFor();
    assert.equal(await row(bo, `${was}, main file`).count(), 0);
  }
});

test("a file and a folder are downloaded", async () => {
  const fetched = async (name, item) => {
    await row(ana, name).click({ button: "right" });
    const [download] = await Promise.all([ana.waitForEvent("download"), ana.getByRole("menuitem", { name: item, exact: true }).click()]);
    return { name: download.suggestedFilename(), path: await download.path() };
  };
  const file = await fetched("run.py", "Download");
  assert.equal(file.name, "run.py");
  assert.match(readFileSync(file.path, "utf8"), /Hello from Python/);
  const folder = await fetched("lib", "Download as zip");
  assert.match(folder.name, /\.zip$/);
  const names = execFileSync("python3", ["-c", "import sys, zipfile\nprint(*zipfile.ZipFile(sys.argv[1]).namelist())", folder.path]).toString();
  assert.match(names, /helpers\.R/);
});

test("the one who follows sees the other's file and place", async () => {
  await server.call("PUT", `/tasks/${task}/files/long.txt`, Array.from({ length: 400 }, (_, line) => `line ${line + 1}`).join("\n"));
  await row(bo, "long.txt").click();
  await ana.getByRole("button", { name: "Follow bo" }).click();
  await ana.getByRole("tab", { name: "long.txt", selected: true }).waitFor();
  await bo.locator(".cm-line").filter({ hasText: "line 1" }).first().click();
  await bo.keyboard.press("Control+End");
  await until(async () => (await textOf(ana)).includes("line 400"), "ana's view at bo's cursor");
  await ana.getByRole("button", { name: "Following bo" }).click();
});

test("a viewer cannot type, and a changed role counts at once", async () => {
  await row(bo, "run.py").click();
  await ana.getByRole("button", { name: "Share" }).click();
  await ana.getByLabel("Role of bo").selectOption("viewer");
  await bo.locator(".stored[data-state=read-only]").waitFor();
  const before = await textOf(bo);
  await typeAt(bo, "start", "not mine to write");
  assert.equal(await textOf(bo), before);
  assert.equal(await bo.getByRole("button", { name: "Run", exact: true }).isDisabled(), true);
  assert.equal(await bo.getByRole("button", { name: "New file" }).count(), 0);
  await drop(bo, "run.py", "viewers.md");
  await bo.locator(".toast").filter({ hasText: "You may read here, but not change anything." }).waitFor();
  await ana.getByLabel("Role of bo").selectOption("editor");
  await saved(bo);
  await typeAt(bo, "start", "# mine again\n");
  await saved(bo);
  await ana.keyboard.press("Escape");
  await row(ana, "run.py").click();
  await until(async () => (await textOf(ana)).includes("# mine again"), "bo's line at ana's");
});

test("a deleted file is said to those who have it open; the main file needs a successor", async () => {
  await row(bo, "helpers.R").click();
  await row(ana, "helpers.R").focus();
  await ana.keyboard.press("Delete");
  await ana.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await bo.getByText("ana deleted lib/helpers.R.").waitFor();
  await until(async () => (await bo.getByRole("tab", { name: "helpers.R" }).count()) === 0, "the tab gone");
  await row(ana, "run.py").focus();
  await ana.keyboard.press("Delete");
  await ana.getByLabel("The main file is among it").selectOption("run.sh");
  await ana.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await row(bo, "run.sh, main file").waitFor();
});

test("a zip goes in and the task comes out as a zip", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "coderoom-zip-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const zip = join(folder, "survey 调查.zip");
  execFileSync("python3", ["-c", "import sys, zipfile\nwith zipfile.ZipFile(sys.argv[1], 'w') as z:\n  z.writestr('main.R', 'cat(1)\\n'); z.writestr('数据/a.csv', 'x,y\\n1,2\\n'); z.writestr('logo.bin', bytes([0, 255, 254]))", zip]);
  await ana.goto(server.url);
  const [chooser] = await Promise.all([ana.waitForEvent("filechooser"), ana.getByRole("button", { name: "Import zip" }).click()]);
  await chooser.setFiles(zip);
  await ana.getByRole("heading", { name: "survey 调查" }).waitFor();
  await row(ana, "a.csv").click();
  await until(async () => (await textOf(ana)) === "x,y\n1,2\n".trimEnd() || (await textOf(ana)) === "x,y\n1,2\n", "the table");
  await row(ana, "logo.bin").click();
  await ana.getByText("This is not a text file.").waitFor();
  await ana.getByRole("button", { name: "Actions for files" }).click();
  const [download] = await Promise.all([ana.waitForEvent("download"), ana.getByRole("menuitem", { name: "Download all as zip" }).click()]);
  const out = join(folder, "out.zip");
  await download.saveAs(out);
  const names = execFileSync("python3", ["-c", "import sys, zipfile\nprint('\\n'.join(sorted(zipfile.ZipFile(sys.argv[1]).namelist())))", out]).toString();
  for (const name of ["main.R", "数据/a.csv", "logo.bin", "run.R"]) assert.ok(names.split("\n").includes(name), `${name} in\n${names}`);
  assert.ok(readFileSync(out).length > 100);
});

test("files that are dropped are uploaded into the folder below the pointer", async () => {
  await ana.goto(`${server.url}/tasks/${task}`);
  await drop(ana, "run.sh", "dropped.md");
  await row(ana, "dropped.md").click();
  await until(async () => (await textOf(ana)).includes("# dropped"), "the dropped text");
});

test("a drop that the server refuses says why, and changes nothing", async () => {
  const paths = async () => (await server.call("GET", `/tasks/${task}/tree`)).tree.children.map(({ path }) => path);
  const before = await paths();
  await drop(ana, "dropped.md", "RUN.SH");
  await ana.locator(".toast").filter({ hasText: "There is a file `run.sh`, which differs from `RUN.SH` only in letter case. Choose another name." }).waitFor();
  assert.deepEqual(await paths(), before);
});

test("a move and a deletion of more files than a reply lists say how many there were", async () => {
  const FILES = 1_100;
  const program = "import io, sys, zipfile\nb = io.BytesIO()\nwith zipfile.ZipFile(b, 'w') as z:\n  for i in range(int(sys.argv[1])): z.writestr(f'{i}.txt', str(i))\nsys.stdout.buffer.write(b.getvalue())";
  const zip = execFileSync("python3", ["-c", program, String(FILES)]);
  const large = await server.task("large", "python", { ana: "owner" });
  await server.call("POST", `/tasks/${large}/import?folder=many`, zip);
  const page = await ana.context().newPage();
  await openTask(page, server, large);
  await row(page, "many").focus();
  await page.keyboard.press("F2");
  await page.keyboard.type("all");
  await page.keyboard.press("Enter");
  const said = page.locator(".toast").filter({ hasText: "Done: 1,100 changes to the files." });
  // Closed, so that the same sentence about the deletion is a new one.
  await said.getByRole("button", { name: "Close" }).click();
  await row(page, "all").focus();
  await page.keyboard.press("Delete");
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
  await said.waitFor();
  await page.close();
});

test("a name cannot pass for another one: what changes the direction of writing is seen", async () => {
  await server.call("PUT", `/tasks/${task}/files/${encodeURIComponent("photo\u202egpj.py")}`, "print('no picture')\n");
  const shown = "photo\\u202egpj.py";
  await ana.locator(".row .name", { hasText: shown }).click();
  await ana.getByRole("tab", { name: shown, selected: true }).waitFor();
  await ana.getByRole("textbox", { name: shown }).waitFor();
  await ana.keyboard.press("Control+p");
  await ana.keyboard.type("photo");
  await ana.getByRole("option", { name: shown }).waitFor();
  await ana.keyboard.press("Escape");
  await row(ana, "photo").focus();
  await ana.keyboard.press("Delete");
  const question = ana.getByRole("dialog", { name: `Delete ${shown}?` });
  await question.getByRole("button", { name: "Delete" }).click();
  await ana.locator(".row .name", { hasText: "photo" }).waitFor({ state: "detached" });
  assert.equal(await bo.getByText("\u202e").count(), 0);
});

test("a deleted task says so to everybody in it", async () => {
  await bo.goto(`${server.otherUrl}/tasks/${task}`);
  await row(bo, "run.sh").waitFor();
  await server.call("DELETE", `/tasks/${task}`);
  for (const page of [ana, bo]) await page.getByText("This task was deleted.").waitFor();
});

test("no page had an error", () => assert.deepEqual(errors, []));
