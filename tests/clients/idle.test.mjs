// Stock clients hang up after 30 s of silence; the server never lets it come to that.

import assert from "node:assert/strict";
import { test } from "node:test";

import { openDocument, openYWebsocket, providers, serverForTests } from "./editors.mjs";

const LONGER_THAN_THEIR_PATIENCE_MS = 37_000;

const { server, opened } = await serverForTests();

test("idle clients of every kind stay connected, with and without presence", async () => {
  const task = await server.createTask("idle");
  await server.write(task, "a.py", "x");
  const editors = Object.keys(providers).flatMap((version) => [
    opened(openDocument(server, task, "/a.py", { version })),
    // No presence: nothing to renew, so all signs of life are the server's.
    opened(openDocument(server, task, "/a.py", { version, awareness: null })),
  ]);
  const second = opened(openYWebsocket(server, task, "a.py"));
  await Promise.all([...editors, second].map((editor) => editor.synced()));
  await new Promise((resolve) => setTimeout(resolve, LONGER_THAN_THEIR_PATIENCE_MS));
  for (const editor of editors) {
    assert.equal(editor.socket.closes, 0, "no provider has reconnected");
    assert.ok(editor.provider.synced);
  }
  assert.equal(second.seen.closes, 0, "y-websocket has not reconnected");
});
