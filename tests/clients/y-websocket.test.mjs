// The second door: stock y-websocket and pycrdt, together with editors of the room socket.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { test } from "node:test";

import { converged, openDocument, openYWebsocket, serverForTests } from "./editors.mjs";
import { TOKEN, until } from "./server.mjs";

const { server, opened } = await serverForTests();

test("y-websocket and a Hocuspocus provider type into one document", async () => {
  const task = await server.createTask("both doors");
  await server.write(task, "src/my file.py", "start\n");
  const anna = opened(openYWebsocket(server, task, "src/my file.py"));
  const ben = opened(openDocument(server, task, "/src/my file.py"));
  await Promise.all([anna.synced(), ben.synced()]);
  for (let n = 0; n < 50; n++) {
    anna.type(`a${n} `);
    ben.insert(0, `b${n} `);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const text = await converged([anna, ben], (text) => text.includes("a49 ") && text.includes("b49 "));
  await ben.stored();
  await until(async () => (await server.read(task, "src/my file.py")) === text, "the text over HTTP");
});

test("presence crosses the doors", async () => {
  const task = await server.createTask("presence");
  await server.write(task, "a.py", "");
  const anna = opened(openYWebsocket(server, task, "a.py"));
  const ben = opened(openDocument(server, task, "/a.py"));
  await Promise.all([anna.synced(), ben.synced()]);
  anna.provider.awareness.setLocalStateField("user", { name: "Anna" });
  ben.provider.setAwarenessField("user", { name: "Ben" });
  const names = (editor) => [...editor.provider.awareness.getStates().values()].map((state) => state.user?.name);
  await until(() => names(ben).includes("Anna") && names(anna).includes("Ben"), () => `${names(anna)} | ${names(ben)}`);
});

test("y-websocket comes back after a crash and sends what was typed meanwhile", async () => {
  const task = await server.createTask("crash");
  await server.write(task, "a.py", "before\n");
  const anna = opened(openYWebsocket(server, task, "a.py"));
  await anna.synced();
  await server.end("SIGKILL");
  anna.type("meanwhile\n");
  await server.start();
  await until(async () => (await server.read(task, "a.py")) === "before\nmeanwhile\n", "the text over HTTP");
  assert.equal(anna.text(), "before\nmeanwhile\n");
});

test("a stranger is told to stop: 4401 without a token, 4404 without a role", async () => {
  const task = await server.createTask("strangers");
  await server.write(task, "a.py", "secret");
  const { token } = await server.member(task, "stranger");
  for (const [bad, code] of [["wrong", 4401], [token, 4404]]) {
    const editor = opened(openYWebsocket(server, task, "a.py", { token: bad }));
    await until(() => editor.seen.closed.length > 0, `the end with ${code}`);
    assert.deepEqual(editor.seen.closed, [code]);
    assert.equal(editor.text(), "");
  }
});

test("a missing file is made for an editor who asks, and for nobody else", async () => {
  const task = await server.createTask("create");
  const missing = opened(openYWebsocket(server, task, "new.py"));
  await until(() => missing.seen.closed.length > 0, "the end with 4404");
  assert.deepEqual(missing.seen.closed, [4404]);
  const { token } = await server.member(task, "viewer", "viewer");
  const viewer = opened(openYWebsocket(server, task, "new.py", { token, params: { create: "true" } }));
  await until(() => viewer.seen.closed.length > 0, "the end with 4403");
  assert.deepEqual(viewer.seen.closed, [4403]);
  const editor = opened(openYWebsocket(server, task, "new.py", { params: { create: "true" } }));
  await editor.synced();
  editor.type("hello");
  await until(async () => (await server.read(task, "new.py")) === "hello", "the text over HTTP");
});

test("deleting the file ends the socket for good", async () => {
  const task = await server.createTask("deleted");
  await server.write(task, "a.py", "a");
  const editor = opened(openYWebsocket(server, task, "a.py"));
  await editor.synced();
  await server.remove(task, "a.py");
  await until(() => editor.seen.closed.length > 0, "the end with 4404");
  assert.deepEqual(editor.seen.closed, [4404]);
});

test("pycrdt types into the same document", async () => {
  const task = await server.createTask("pycrdt");
  await server.write(task, "a.py", "start\n");
  const ben = opened(openDocument(server, task, "/a.py"));
  await ben.synced();
  const python = spawn(".venv/bin/python", ["pycrdt_editor.py", `${server.ws}/yjs/${task}/a.py?token=${TOKEN}`, "from python\n", "from javascript\n"]);
  let output = "";
  for (const stream of [python.stdout, python.stderr]) stream.on("data", (bytes) => (output += bytes));
  const exit = new Promise((resolve) => python.once("exit", resolve));
  await until(() => ben.text().includes("from python\n"), () => `the edit of pycrdt; it said ${output}`);
  ben.type("from javascript\n");
  assert.equal(await exit, 0, output);
  await ben.stored();
  assert.equal(await server.read(task, "a.py"), "start\nfrom python\nfrom javascript\n");
});
