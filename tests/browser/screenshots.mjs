// Pictures of every page in light and dark, into docs/screenshots: `make screenshots`. What they show is made anew each time.

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openPage, openTask, signedIn, startBrowser, startServer } from "./harness.mjs";

const OUT = process.env.SCREENSHOTS ?? join(dirname(fileURLToPath(import.meta.url)), "../../docs/screenshots");
const SIZE = { width: 1280, height: 800 };
const errors = [];

const FILES = {
  "data/temperatures.csv": "day,city,celsius\n1,Wien,21.4\n1,上海,29.8\n2,Wien,19.7\n2,上海,31.2\n",
  "lib/report.py": "def bar(value, width=40):\n    return '#' * round(value / 50 * width)\n",
  "notes.md": "# What we want to know\n\n- Which city is warmer, and by how much?\n- *Later:* the whole year.\n",
  "settings.yaml": "unit: celsius\ncities:\n  - Wien\n  - 上海\n",
};
const MAIN = `"""Compares the temperatures of two cities."""

import csv
import sys

from lib.report import bar

totals = {}
with open("data/temperatures.csv", encoding="utf-8") as table:
    for row in csv.DictReader(table):
        totals.setdefault(row["city"], []).append(float(row["celsius"]))

print("\\x1b[1mMean temperature\\x1b[0m")
for city, values in sorted(totals.items()):
    mean = sum(values) / len(values)
    colour = 31 if mean > 25 else 34
    print(f"\\x1b[{colour}m{city:6}\\x1b[0m {mean:5.1f} {bar(mean)}")
print("only 2 days in the table", file=sys.stderr)
`;

/** What ran first: the comparison is with this one. */
const FIRST = MAIN.replace("\nfrom lib.report import bar\n", "").replace(" {bar(mean)}", "").replace("Compares the temperatures of two cities.", "Mean temperatures.");

mkdirSync(OUT, { recursive: true });
const server = await startServer();
const browser = await startBrowser();
try {
  const ana = await server.person("Ana Bauer");
  const bo = await server.person("王小明");
  const task = await server.task("Temperatures 气温", "python", { "Ana Bauer": "owner", 王小明: "editor" });
  await server.call("PATCH", `/tasks/${task}`, { remarks: "Week 3: read a table, compare two cities" });
  const put = (path, text) => server.call("PUT", `/tasks/${task}/files/${path.split("/").map(encodeURIComponent).join("/")}`, text);
  for (const [path, text] of Object.entries(FILES)) await put(path, text);
  await put("logo.png", new Uint8Array([137, 80, 78, 71, 0, 255, 254]));
  await put("run.py", FIRST);
  for (const [name, language, role] of [["Sorting lists", "scala", "viewer"], ["Linear model", "r", "editor"], ["First steps", "python", "owner"]]) await server.task(name, language, { "Ana Bauer": role });

  const other = await signedIn(browser, server, bo, errors);
  await openTask(other, server, task);
  await other.locator(".cm-line").filter({ hasText: "totals = {}" }).click();
  await other.keyboard.press("Home");
  await other.keyboard.press("Shift+End");
  const ran = async (number, state) => {
    await other.getByRole("button", { name: `#${number} · ` }).waitFor();
    await other.locator(`.run-state.state-${state}`).waitFor();
  };
  await other.keyboard.press("Control+Enter");
  await ran(1, 3);
  await server.call("POST", `/tasks/${task}/runs`, { command: "python3 run.py --year 2025", remarks: "the whole year" });
  await ran(2, 3);
  await put("run.py", `${MAIN}sys.exit(1)\n`);
  await other.keyboard.press("Control+Enter");
  await ran(3, 4);
  await put("run.py", MAIN);
  await other.keyboard.press("Control+Enter");
  await ran(4, 3);
  const { url: invitation } = await server.call("POST", `/tasks/${task}/links`, { role: "editor", note: "" });

  for (const scheme of ["light", "dark"]) {
    const shot = (page, name) => page.screenshot({ path: join(OUT, `${name}-${scheme}.png`) });
    const fresh = await openPage(browser, errors, { colorScheme: scheme, viewport: SIZE });
    await fresh.goto(`${server.url}/sign-in`);
    await fresh.getByLabel("Password").waitFor();
    await shot(fresh, "sign-in");
    await fresh.context().close();

    const page = await signedIn(browser, server, ana, errors, { colorScheme: scheme, viewport: SIZE });
    await page.locator(".task-rows li").nth(3).waitFor();
    await shot(page, "tasks");
    await page.getByRole("button", { name: "New task" }).click();
    await shot(page, "new-task");
    await openTask(page, server, task);
    await page.locator(".log").filter({ hasText: "only 2 days" }).waitFor();
    // The other's selection, and the name at it while they move.
    await other.locator(".cm-line").filter({ hasText: "totals = {}" }).click();
    await other.keyboard.press("Home");
    await other.keyboard.press("Shift+End");
    await page.locator(".other-selection").waitFor();
    await shot(page, "task");
    await page.keyboard.press("Control+p");
    await page.keyboard.type("t");
    await page.getByRole("option").nth(1).waitFor();
    await shot(page, "quick-open");
    await page.keyboard.press("Escape");
    await page.getByTitle("All runs").click();
    await page.locator(".run-list li").nth(3).waitFor();
    await shot(page, "runs");
    await page.getByRole("button", { name: "Compare run 4" }).click();
    await page.getByRole("menuitem", { name: "#1 · " }).click();
    await page.getByRole("dialog", { name: "Compare" }).locator(".cm-changedText").first().waitFor();
    await shot(page, "compare");
    await page.keyboard.press("Escape");
    await page.getByRole("button", { name: "Share" }).click();
    await page.locator(".members li").nth(2).waitFor();
    await shot(page, "share");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("city");
    await page.locator(".hit").first().waitFor();
    // Not while the name at the other's cursor fades.
    await page.waitForFunction(() => document.getAnimations().every(({ playState }) => playState === "finished"));
    await shot(page, "search");
    await page.getByRole("button", { name: "Files", exact: true }).last().click();
    await page.getByRole("treeitem", { name: /^logo.png/ }).click();
    await page.getByRole("treeitem", { name: /^run.sh/ }).click({ button: "right" });
    await page.getByRole("menu").waitFor();
    await shot(page, "file-menu");
    await page.keyboard.press("Escape");
    await page.goto(invitation);
    await page.getByRole("heading", { name: /^Join/ }).waitFor();
    await shot(page, "join");
    await page.goto(`${server.url}/account`);
    await page.locator(".token-list li").first().waitFor();
    // Of the pages before this one.
    const others = page.getByRole("button", { name: "Sign out all others" });
    if (await others.count()) await others.click();
    await others.waitFor({ state: "hidden" });
    await page.getByPlaceholder("What it is for").fill("laptop");
    await page.getByRole("button", { name: "Make a token" }).click();
    await page.locator(".secret").waitFor();
    await page.locator(".secret code").evaluate((code) => (code.textContent = "crt_…"));
    await page.locator(".account-page main").evaluate((main) => main.scrollTo(0, 0));
    await shot(page, "account");
    await page.getByRole("button", { name: "Delete the token laptop?" }).click();
    await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete the token laptop?" }).waitFor({ state: "hidden" });
    await page.context().close();

    const small = await signedIn(browser, server, ana, errors, { colorScheme: scheme, viewport: { width: 1024, height: 700 }, locale: "en" });
    await small.evaluate(() => localStorage.setItem("coderoom.language", "zh"));
    await small.goto(`${server.url}/tasks`);
    await small.locator(".task-rows li").nth(3).waitFor();
    await shot(small, "tasks-zh-1024");
    await openTask(small, server, task);
    await small.locator(".log").filter({ hasText: "only 2 days" }).waitFor();
    await shot(small, "task-zh-1024");
    await small.context().close();

    const tablet = await signedIn(browser, server, ana, errors, { colorScheme: scheme, viewport: { width: 820, height: 1180 }, hasTouch: true, isMobile: true });
    await openTask(tablet, server, task);
    await tablet.locator(".log").filter({ hasText: "only 2 days" }).waitFor();
    await shot(tablet, "task-tablet");
    await tablet.context().close();
  }
} finally {
  await browser.close();
  await server.stop();
}
if (errors.length > 0) throw new Error(`a page had an error: ${errors.join("; ")}`);
