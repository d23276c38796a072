// Starts a private server and a browser, and takes both down again; makes people and tasks without the page.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { BINARY, freePort } from "../clients/server.mjs";
import { holdTables, IS_CLUSTER, newDeployment } from "./deployment.mjs";

const PATIENCE_MS = Number(process.env.PATIENCE_MS ?? 20_000);
const ADMIN = "crt_" + "browser-tests-only-0123456789-abcdefghijklm";
const PASSWORD = "a long enough password";

/** Where screenshots go when SCREENSHOTS names a folder. */
export const screenshots = process.env.SCREENSHOTS;

/** Waits until `look` gives something true. */
export async function until(look, what, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still missing: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** One process on a free port with a data folder of its own; `start` starts it, again after `kill`. */
async function newProcess(settings) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "coderoom-browser-"));
  const data = join(folder, "data");
  const node = { url: `http://127.0.0.1:${port}`, data, output: "", child: null };
  node.start = async () => {
    node.output = "";
    const child = spawn(BINARY, ["serve", "--listen", `127.0.0.1:${port}`, "--data", data], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...settings, CODEROOM_ADMIN_TOKEN: ADMIN },
    });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (node.output += bytes));
    node.child = child;
    await until(async () => (await fetch(`${node.url}/health/live`).catch(() => null))?.ok, `the server to serve; it said:\n${node.output}`);
  };
  node.kill = () =>
    new Promise((resolve) => {
      node.child.once("exit", resolve);
      node.child.kill("SIGKILL");
    });
  node.remove = async () => {
    await node.kill();
    rmSync(folder, { recursive: true, force: true });
  };
  await node.start();
  return node;
}

/**
 * A new deployment, with these settings beside its own. `url` is its server, `otherUrl` the second one where it is a cluster and the same else; `link` is the sign-in link
 * that was printed. `kill`, `start` and the folder of `data` are those of the first server.
 */
export async function startServer(extra = {}) {
  const settings = { ...newDeployment(), ...extra };
  const first = await newProcess(settings);
  const link = await until(() => /https?:\/\/\S+\/sign-in\?code=\S+/.exec(first.output)?.[0], "the sign-in link");
  // Slots that a test asks for are those of the deployment.
  const second = IS_CLUSTER ? await newProcess(extra.CODEROOM_RUNS_SLOTS ? { ...settings, CODEROOM_RUNS_SLOTS: "0" } : settings) : first;
  const { url } = first;
  const server = { url, otherUrl: second.url, link, data: first.data, start: first.start, kill: first.kill };
  /** Keeps edits from being stored; gives how to let go. */
  server.holdTables = () => holdTables(settings, first.data);
  server.stop = async () => {
    await first.remove();
    if (second !== first) await second.remove();
  };
  /** Calls the interface below /api/v1 as the administrator, or with the cookie of a person. */
  server.call = async (method, path, body, cookie) => {
    const headers = { "content-type": body instanceof Uint8Array ? "application/octet-stream" : "application/json" };
    Object.assign(headers, cookie ? { cookie } : { authorization: `Bearer ${ADMIN}` });
    const content = body === undefined || body instanceof Uint8Array || typeof body === "string" ? body : JSON.stringify(body);
    const response = await fetch(`${url}/api/v1${path}`, { method, headers, body: content });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.status === 204 ? undefined : response.json();
  };
  /** Makes a user with a password; gives id, name and password. */
  server.person = async (name) => {
    const { id } = await server.call("POST", "/users", { name, password: PASSWORD });
    return { id, name, password: PASSWORD };
  };
  /** Makes a task of the administrator and gives people roles in it: `{ ana: "owner" }`. Gives its id. */
  server.task = async (name, language, roles = {}) => {
    const { id } = await server.call("POST", "/tasks", { name, language });
    for (const [person, role] of Object.entries(roles)) await server.call("PUT", `/tasks/${id}/members/${encodeURIComponent(person)}`, { role });
    return id;
  };
  return server;
}

/** Signs a person in through the page, each in a browser context of their own. */
export async function signedIn(browser, { url }, person, errors, options) {
  const page = await openPage(browser, errors, options);
  await page.goto(`${url}/sign-in`);
  await page.getByLabel("Name").fill(person.name);
  await page.getByLabel("Password").fill(person.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Tasks" }).waitFor();
  return page;
}

/** The lines in the editor's view, without the names of others' cursors. */
export const textOf = (page) =>
  page.locator(".cm-content").evaluate((content) =>
    [...content.querySelectorAll(".cm-line")]
      .map((line) => {
        const copy = line.cloneNode(true);
        for (const caret of copy.querySelectorAll(".other-caret")) caret.remove();
        return copy.textContent;
      })
      .join("\n"),
  );

/** Opens a task and waits for its main file, stored. */
export async function openTask(page, { url }, id) {
  await page.goto(`${url}/tasks/${id}`);
  await page.locator(".cm-content").waitFor();
  await page.locator(".stored[data-state=saved], .stored[data-state=read-only]").waitFor();
}

/** Puts the cursor at the beginning or the end of the text and types there. */
export async function typeAt(page, where, text) {
  await page.locator(".cm-content").click();
  await page.keyboard.press(where === "start" ? "Control+Home" : "Control+End");
  await page.keyboard.type(text);
}

/** Waits until everything typed is stored. */
export const saved = (page) => page.locator(".stored[data-state=saved]").waitFor();

/** Debian's Chromium, quiet and without reaching for the network. */
export function startBrowser(options = {}) {
  return chromium.launch({
    ...options,
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });
}

/** A page of its own context whose errors fail the test. */
export async function openPage(browser, errors, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    // A socket that breaks because the test killed the server is not a fault of the page, nor is an answer that says no and is shown.
    if (message.type() === "error" && !/WebSocket|ERR_CONNECTION|status of (401|404|409|422)/.test(message.text())) errors.push(message.text());
  });
  return page;
}
