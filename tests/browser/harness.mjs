// Starts a private server and a browser, and takes both down again.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const BINARY = process.env.CODEROOM_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/coderoom/target"), "debug/coderoom");
const PATIENCE_MS = 20_000;

/** Where screenshots go when SCREENSHOTS names a folder. */
export const screenshots = process.env.SCREENSHOTS;

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Waits until `look` gives something true. */
export async function until(look, what) {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still missing: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** A server on a free port with a data folder of its own; `link` is the sign-in link it printed. */
export async function startServer() {
  const port = await freePort();
  const data = mkdtempSync(join(tmpdir(), "coderoom-browser-"));
  const url = `http://127.0.0.1:${port}`;
  const server = { url, output: "", process: null };
  server.start = async () => {
    server.output = "";
    const child = spawn(BINARY, ["serve", "--listen", `127.0.0.1:${port}`, "--data", join(data, "data")], { stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (server.output += bytes));
    server.process = child;
    await until(async () => (await fetch(`${url}/health/live`).catch(() => null))?.ok, `the server to serve; it said:\n${server.output}`);
    server.link = await until(() => /https?:\/\/\S+\/sign-in\?code=\S+/.exec(server.output)?.[0], "the sign-in link");
  };
  server.kill = () =>
    new Promise((resolve) => {
      server.process.once("exit", resolve);
      server.process.kill("SIGKILL");
    });
  server.stop = async () => {
    await server.kill();
    rmSync(data, { recursive: true, force: true });
  };
  await server.start();
  return server;
}

/** Debian's Chromium, quiet and without reaching for the network. */
export function startBrowser() {
  return chromium.launch({
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
    // A socket that breaks because the test killed the server is not a fault of the page.
    if (message.type() === "error" && !/WebSocket|ERR_CONNECTION|status of 401/.test(message.text())) errors.push(message.text());
  });
  return page;
}
