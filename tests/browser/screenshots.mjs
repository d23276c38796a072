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
  await put("run.py", MAIN);
  for (const [name, language, role] of [["Sorting lists", "scala", "viewer"], ["Linear model", "r", "editor"], ["First steps", "python", "owner"]]) await server.task(name, language, { "Ana Bauer": role });

  const other = await signedIn(browser, server, bo, errors);
  await openTask(other, server, task);
  await other.locator(".cm-line").filter({ hasText: "totals = {}" }).click();
  await other.keyboard.press("Home");
  await other.keyboard.press("Shift+End");
  await other.keyboard.press("Control+Enter");
  await other.locator(".state-3").first().waitFor();

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
    await page.locator(".other-caret").waitFor();
    await shot(page, "task");
    await page.getByRole("button", { name: "Share" }).click();
    await page.locator(".members li").nth(2).waitFor();
    await shot(page, "share");
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+Shift+F");
    await page.keyboard.type("city");
    await page.locator(".hit").first().waitFor();
    await shot(page, "search");
    await page.getByRole("button", { name: "Files", exact: true }).last().click();
    await page.getByRole("treeitem", { name: /^logo.png/ }).click();
    await page.getByRole("treeitem", { name: /^run.sh/ }).click({ button: "right" });
    await page.getByRole("menu").waitFor();
    await shot(page, "file-menu");
    await page.keyboard.press("Escape");
    await page.goto(`${server.url}/account`);
    await page.locator(".token-list li").first().waitFor();
    await page.getByPlaceholder("What it is for").fill("laptop");
    await page.getByRole("button", { name: "Make a token" }).click();
    await page.locator(".secret").waitFor();
    await page.locator(".secret code").evaluate((code) => (code.textContent = "crt_…"));
    await shot(page, "account");
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
