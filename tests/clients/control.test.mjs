// The control channel as text frames, as a ten-line program would use it: plain WebSocket, subprotocol coderoom.v1.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, test } from "node:test";

import WebSocket from "ws";

import { TOKEN, startServer, until } from "./server.mjs";

let server;
const open = [];

before(async () => {
  server = await startServer();
});
after(async () => {
  for (const socket of open) socket.terminate();
  await server.stop();
});

/** A text socket that remembers what it heard; `ask` sends a request and gives its reply. */
async function join(task, token = TOKEN) {
  const socket = new WebSocket(`${server.ws}/ws/tasks/${task}?token=${token}`, "coderoom.v1");
  open.push(socket);
  const heard = [];
  socket.on("message", (bytes, isBinary) => heard.push(isBinary ? { type: "binary" } : JSON.parse(bytes)));
  socket.on("error", (error) => heard.push({ type: "error", error }));
  await until(() => heard.length > 0, "the first message");
  let count = 0;
  const find = (test, what) => until(() => heard.find(test), what);
  const ask = (request) => {
    const id = `c${++count}`;
    socket.send(JSON.stringify({ id, ...request }));
    return find((message) => message.type === "reply" && message.id === id, `the reply to ${JSON.stringify(request)}`);
  };
  return { socket, heard, ask, find };
}

test("welcome comes first, and requests are done in the order in which they were sent", async () => {
  const task = await server.createTask("order");
  const { heard, ask } = await join(task);
  assert.equal(heard[0].type, "welcome");
  const replies = await Promise.all([
    ask({ type: "create_file", path: "a.txt", text: "one" }),
    ask({ type: "write_file", path: "a.txt", text: "two" }),
    ask({ type: "move", from: "a.txt", to: "b.txt" }),
    ask({ type: "write_file", path: "b.txt", text: "three" }),
    ask({ type: "tree" }),
  ]);
  for (const reply of replies) assert.equal(reply.ok, true, JSON.stringify(reply));
  assert.ok(replies[4].result.children.some((node) => node.path === "b.txt"));
  assert.equal(await server.read(task, "b.txt"), "three");
});

test("submit runs exactly what was written, and the log comes whole from any offset", async () => {
  const task = await server.createTask("run");
  const { heard, ask, find } = await join(task);
  const [written, submitted] = await Promise.all([
    ask({ type: "write_file", path: "run.py", text: 'for n in range(2000): print(f"{n} wörld 中😀")\n' }),
    ask({ type: "submit", command: "python3 run.py", remarks: "with care" }),
  ]);
  assert.equal(written.ok, true, JSON.stringify(written));
  assert.equal(submitted.ok, true, JSON.stringify(submitted));
  const run = submitted.result.run.id;
  assert.equal((await ask({ type: "follow", run })).ok, true);
  const end = await find((message) => message.type === "log_end" && message.run === run, () => `log_end; ${JSON.stringify(heard.slice(-3))}`);
  const pieces = heard.filter((message) => message.type === "log" && message.run === run);
  assert.equal(pieces[0].offset, 0);
  for (const [index, piece] of pieces.slice(1).entries()) assert.equal(piece.offset, pieces[index].end, "no gap and no overlap");
  const bytes = Buffer.concat(pieces.map((piece) => (piece.base64 ? Buffer.from(piece.base64, "base64") : Buffer.from(piece.text))));
  assert.equal(bytes.length, end.size);
  assert.equal(createHash("sha256").update(bytes).digest("hex"), end.sha256);
  const program = pieces.filter((piece) => piece.stream === "out").map((piece) => piece.text).join("");
  assert.ok(program.endsWith("1999 wörld 中😀\n"), program.slice(-200));
  const done = await find((message) => message.type === "run" && message.run.id === run && message.run.state >= 3, "the end of the run");
  assert.equal(done.run.state, 3, JSON.stringify(done));

  const late = await join(task);
  const offset = Math.floor(end.size / 2);
  await late.ask({ type: "follow", run, offset });
  await late.find((message) => message.type === "log_end", "log_end for the late one");
  assert.equal(late.heard.find((message) => message.type === "log").offset, offset);
});

test("viewers read and follow, and change nothing", async () => {
  const task = await server.createTask("viewer");
  const { token } = await server.member(task, "viewer", "viewer");
  const { ask } = await join(task, token);
  assert.equal((await ask({ type: "tree" })).ok, true);
  for (const request of [
    { type: "submit" },
    { type: "create_file", path: "x" },
    { type: "write_file", path: "run.py", text: "" },
    { type: "delete", path: "run.py" },
    { type: "create_blob", path: "x", base64: "" },
  ]) {
    const reply = await ask(request);
    assert.equal(reply.error?.code, "not_allowed", JSON.stringify(reply));
  }
});

test("what cannot be read is answered, not ignored", async () => {
  const task = await server.createTask("nonsense");
  const { socket, heard, ask } = await join(task);
  for (const text of ["", "[", '{"type":"fly"}', '{"type":"submit","comand":"x"}']) socket.send(text);
  await until(() => heard.filter((message) => message.type === "reply" && message.error?.code === "bad_request").length === 4, () => `four refusals; ${JSON.stringify(heard)}`);
  const other = await server.createTask("other");
  const run = (await (await join(other)).ask({ type: "submit", command: "true" })).result.run.id;
  for (const type of ["stop", "rerun", "follow"]) assert.equal((await ask({ type, run })).error.code, "not_found");
  assert.equal((await ask({ type: "ping" })).ok, true);
});

test("a task that is deleted says so and closes", async () => {
  const task = await server.createTask("gone");
  const { socket, heard } = await join(task);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await server.call("DELETE", `/tasks/${task}`);
  assert.equal(await closed, 4404);
  assert.ok(heard.some((message) => message.type === "task_deleted"));
});

test("a member who is removed is told and closed within a second", async () => {
  const task = await server.createTask("removed");
  const member = await server.member(task, "leaver", "editor");
  const { socket } = await join(task, member.token);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  const began = Date.now();
  await server.call("DELETE", `/tasks/${task}/members/${member.id}`);
  assert.equal(await closed, 4403);
  assert.ok(Date.now() - began < 1000);
});
