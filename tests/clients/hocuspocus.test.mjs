// The stock Hocuspocus providers 4, 3 and 2, unchanged.

import assert from "node:assert/strict";
import { test } from "node:test";

import { converged, openDocument, openSocket, providers, serverForTests } from "./editors.mjs";
import { TOKEN, until } from "./server.mjs";

const { server, opened } = await serverForTests();

for (const version of Object.keys(providers)) {
  test(`provider ${version}: two people type and see the same`, async () => {
    const task = await server.createTask(`typing ${version}`);
    await server.write(task, "a.py", "start\n");
    const [anna, ben] = [0, 1].map(() => opened(openDocument(server, task, "/a.py", { version })));
    await Promise.all([anna.synced(), ben.synced()]);
    for (let n = 0; n < 50; n++) {
      anna.type(`a${n} `);
      ben.insert(0, `b${n} `);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const text = await converged([anna, ben], (text) => text.includes("a49 ") && text.includes("b49 "));
    assert.ok(text.includes("start\n"));
    await Promise.all([anna.stored(), ben.stored()]);
    assert.equal(await server.read(task, "a.py"), text);
  });

  test(`provider ${version}: several documents share a socket`, async () => {
    const task = await server.createTask(`several ${version}`);
    const paths = ["one.py", "two.py", "three.py"];
    for (const path of paths) await server.write(task, path, `${path}\n`);
    const socket = openSocket(server, task, { version });
    opened({ close: () => socket.destroy() });
    const editors = paths.map((path) => opened(openDocument(server, task, `/${path}`, { version, socket })));
    await Promise.all(editors.map((editor) => editor.synced()));
    editors.forEach((editor, index) => editor.type(`line ${index}`));
    await Promise.all(editors.map((editor) => editor.stored()));
    for (const [index, path] of paths.entries()) assert.equal(await server.read(task, path), `${path}\nline ${index}`);
  });

  test(`provider ${version}: a reader gets every edit and changes nothing`, async () => {
    const task = await server.createTask(`reader ${version}`);
    await server.write(task, "a.py", "x");
    const { token } = await server.member(task, `reader ${version}`, "viewer");
    const writer = opened(openDocument(server, task, "/a.py", { version }));
    const reader = opened(openDocument(server, task, "/a.py", { version, token }));
    await Promise.all([writer.synced(), reader.synced()]);
    assert.deepEqual(reader.seen.authenticated, ["readonly"]);
    reader.type("not allowed");
    writer.type("y");
    await writer.stored();
    await until(() => reader.text().includes("y"), "the edit at the reader");
    assert.equal(writer.text(), "xy");
    assert.equal(await server.read(task, "a.py"), "xy");
  });

  test(`provider ${version}: a bad token is denied and a good one is taken on the same socket`, async () => {
    const task = await server.createTask(`denied ${version}`);
    await server.write(task, "a.py", "secret");
    const socket = openSocket(server, task, { version });
    opened({ close: () => socket.destroy() });
    const denied = opened(openDocument(server, task, "/a.py", { version, socket, token: "no such token" }));
    await until(() => denied.seen.denied.length > 0, "the denial");
    assert.equal(denied.text(), "");
    denied.close();
    const editor = opened(openDocument(server, task, "/a.py", { version, socket }));
    await editor.synced();
    assert.equal(editor.text(), "secret");
    assert.equal(socket.closes, 0, "the socket stays open");
  });

  test(`provider ${version}: presence reaches the others and goes with its owner`, async () => {
    const task = await server.createTask(`presence ${version}`);
    await server.write(task, "a.py", "");
    const [anna, ben] = [0, 1].map(() => opened(openDocument(server, task, "/a.py", { version })));
    await Promise.all([anna.synced(), ben.synced()]);
    anna.provider.setAwarenessField("user", { name: "Anna" });
    const names = (editor) => [...editor.provider.awareness.getStates().values()].map((state) => state.user?.name);
    await until(() => names(ben).includes("Anna"), () => `Anna at Ben's; there is ${names(ben)}`);
    anna.close();
    await until(() => !names(ben).includes("Anna"), "Anna to be gone");
  });
}

test("a retried token gets in without a new provider", async () => {
  const task = await server.createTask("retry");
  await server.write(task, "a.py", "secret");
  let token = "no such token";
  const editor = opened(openDocument(server, task, "/a.py", { token: () => token }));
  await until(() => editor.seen.denied.length > 0, "the denial");
  token = TOKEN;
  await editor.provider.sendToken();
  editor.provider.startSync();
  await editor.synced();
  assert.equal(editor.text(), "secret");
});

test("unsynced changes fall to zero only when the edits are stored", async () => {
  const task = await server.createTask("stored");
  await server.write(task, "a.py", "");
  const editor = opened(openDocument(server, task, "/a.py"));
  await editor.synced();
  await editor.stored();
  for (let n = 0; n < 100; n++) editor.type(`${n},`);
  assert.ok(editor.provider.unsyncedChanges >= 100);
  await editor.stored();
  await server.end("SIGKILL");
  await server.start();
  assert.equal(await server.read(task, "a.py"), editor.text());
});

test("clients reconnect after a restart with what they typed meanwhile", async () => {
  const task = await server.createTask("restart");
  await server.write(task, "a.py", "before\n");
  const [anna, ben] = [0, 1].map(() => opened(openDocument(server, task, "/a.py")));
  await Promise.all([anna.synced(), ben.synced()]);
  await server.end("SIGTERM");
  anna.type("typed while away by anna\n");
  ben.type("typed while away by ben\n");
  await server.start();
  const text = await converged([anna, ben], (text) => text.includes("by anna") && text.includes("by ben"));
  assert.equal(text.match(/before/g).length, 1, "nothing is doubled");
  await Promise.all([anna.stored(), ben.stored()]);
  assert.equal(await server.read(task, "a.py"), text);
});

test("a file that is deleted while it is open is closed, and the socket stays", async () => {
  const task = await server.createTask("deleted");
  await server.write(task, "a.py", "a");
  await server.write(task, "b.py", "b");
  const socket = openSocket(server, task);
  opened({ close: () => socket.destroy() });
  const [a, b] = ["/a.py", "/b.py"].map((path) => opened(openDocument(server, task, path, { socket })));
  await Promise.all([a.synced(), b.synced()]);
  await server.remove(task, "a.py");
  await until(() => a.seen.closed.length > 0, "the close of the deleted file");
  a.type("into nothing");
  await until(() => a.seen.denied.length > 0, "the answer to an edit of the deleted file");
  b.type("!");
  await b.stored();
  assert.equal(await server.read(task, "b.py"), "b!");
  assert.equal(socket.closes, 0);
});

test("@task says welcome and carries the control channel", async () => {
  const task = await server.createTask("control");
  const room = opened(openDocument(server, task, "@task"));
  await room.synced();
  await until(() => room.seen.stateless.length > 0, "welcome");
  const [welcome] = room.seen.stateless;
  assert.equal(welcome.type, "welcome");
  assert.equal(welcome.task.id, task);
  assert.equal(welcome.role, "owner");
  const ask = async (request) => {
    const id = `r${Math.random()}`;
    room.provider.sendStateless(JSON.stringify({ id, ...request }));
    return until(() => room.seen.stateless.find((message) => message.type === "reply" && message.id === id), `the reply to ${request.type}`);
  };
  assert.equal((await ask({ type: "ping" })).ok, true);
  const created = await ask({ type: "create_file", path: "new.py", text: "print(1)\n" });
  assert.equal(created.ok, true, JSON.stringify(created));
  await until(() => room.seen.stateless.some((message) => message.type === "tree"), "the tree event");
  const editor = opened(openDocument(server, task, created.result.file));
  await editor.synced();
  assert.equal(editor.text(), "print(1)\n");
  const written = await ask({ type: "write_file", path: "new.py", text: "print(2)\n" });
  assert.equal(written.ok, true, JSON.stringify(written));
  await until(() => editor.text() === "print(2)\n", "the written text at the editor");
  const nonsense = await ask({ type: "fly" });
  assert.deepEqual([nonsense.ok, nonsense.error.code], [false, "bad_request"]);
});

test("a file by its id survives a rename under its editor", async () => {
  const task = await server.createTask("rename");
  await server.write(task, "a.py", "a");
  const room = opened(openDocument(server, task, "@task"));
  await until(() => room.seen.stateless.length > 0, "welcome");
  const file = room.seen.stateless[0].tree.children.find((node) => node.path === "a.py").id;
  const editor = opened(openDocument(server, task, file, { sessionAwareness: true }));
  await editor.synced();
  await server.call("POST", `/tasks/${task}/move`, { from: "a.py", to: "b.py" });
  editor.type("b");
  await editor.stored();
  assert.equal(await server.read(task, "b.py"), "ab");
});
