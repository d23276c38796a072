// Starts a private server that tests may kill and start again, and speaks HTTP with it.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

/** The server under test. */
export const BINARY = process.env.CODEROOM_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(homedir(), ".cache/coderoom/target"), "debug/coderoom");
const PATIENCE_MS = 20_000;

/** The administrator's token on every test server. */
export const TOKEN = "test-admin-token-0123456789abcdef";

/** Waits until `look` gives something true; `what` completes the sentence "still missing: …" and may be a function. */
export async function until(look, what, patience = PATIENCE_MS) {
  const deadline = Date.now() + patience;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`still missing: ${typeof what === "function" ? what() : what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** A port of the loopback interface that is free now. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** A server on a free port with a data folder of its own. */
export async function startServer(settings = {}) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "coderoom-clients-"));
  const server = { url: `http://127.0.0.1:${port}`, ws: `ws://127.0.0.1:${port}`, output: "" };
  let child;

  server.start = async () => {
    const args = ["serve", "--listen", `127.0.0.1:${port}`, "--data", join(folder, "data")];
    child = spawn(BINARY, args, { env: { ...process.env, CODEROOM_ADMIN_TOKEN: TOKEN, ...settings }, stdio: ["ignore", "pipe", "pipe"] });
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (server.output += bytes));
    const live = async () => (await fetch(`${server.url}/health/live`).catch(() => null))?.ok;
    await until(live, () => `the server to serve; it said:\n${server.output}`);
  };
  server.end = (signal) =>
    new Promise((resolve) => {
      if (child.exitCode !== null || child.signalCode !== null) return resolve();
      child.once("exit", resolve);
      child.kill(signal);
    });
  server.stop = async () => {
    await server.end("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  };

  /** A call of the HTTP interface that must succeed; gives its JSON, or its text. */
  server.call = async (method, path, body, token = TOKEN) => {
    const isText = typeof body === "string";
    const headers = { authorization: `Bearer ${token}`, ...(isText || body === undefined ? {} : { "content-type": "application/json" }) };
    const response = await fetch(`${server.url}/api/v1${path}`, { method, headers, body: isText ? body : body && JSON.stringify(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    const isJson = response.headers.get("content-type")?.includes("json");
    return isJson ? JSON.parse(text) : text;
  };
  server.createTask = async (name) => (await server.call("POST", "/tasks", { name, language: "python" })).id;
  server.write = (task, path, text) => server.call("PUT", `/tasks/${task}/files/${path}`, text);
  server.read = (task, path) => server.call("GET", `/tasks/${task}/files/${path}`);
  server.remove = (task, path) => server.call("DELETE", `/tasks/${task}/files/${path}`);
  /** A new user with a token and a role in the task. */
  server.member = async (task, name, role) => {
    const user = await server.call("POST", "/users", { name, password: "a long enough password" });
    const { token } = await server.call("POST", "/tokens", { name: "test", user: user.id });
    if (role) await server.call("PUT", `/tasks/${task}/members/${user.id}`, { role });
    return { id: user.id, token };
  };

  await server.start();
  return server;
}
