// Stock clients with one document each, behind one face: `text`, `insert`, `type`, `close`.

import { after } from "node:test";

import WebSocket from "ws";
import * as Y from "yjs";
import * as provider4 from "@hocuspocus/provider";
import * as provider3 from "hocuspocus-provider-3";
import * as provider2 from "hocuspocus-provider-2";
import { WebsocketProvider } from "y-websocket";

import { TOKEN, startServer, until } from "./server.mjs";

/** The Hocuspocus providers that must work unchanged, by the version that is installed. */
export const providers = { "4.8.0": provider4, "3.4.4": provider3, "2.15.3": provider2 };

/** A server for the tests of a file. What was `opened` is closed after them, then the server is stopped. */
export async function serverForTests() {
  const open = [];
  const server = await startServer();
  after(async () => {
    for (const editor of open) editor.close();
    await server.stop();
  });
  const opened = (editor) => {
    open.push(editor);
    return editor;
  };
  return { server, opened };
}

function face(doc, more) {
  const source = doc.getText("source");
  return {
    doc,
    source,
    text: () => source.toString(),
    insert: (index, text) => source.insert(index, text),
    type: (text) => source.insert(source.length, text),
    ...more,
  };
}

/** One socket of a Hocuspocus provider, for several documents. */
export function openSocket(server, task, { version = "4.8.0", query = "" } = {}) {
  const { HocuspocusProviderWebsocket } = providers[version];
  const socket = new HocuspocusProviderWebsocket({
    url: `${server.ws}/ws/tasks/${task}${query}`,
    WebSocketPolyfill: WebSocket,
    delay: 100,
    minDelay: 100,
    maxDelay: 500,
  });
  socket.closes = 0;
  socket.on("close", () => socket.closes++);
  return socket;
}

/** One document on a socket, which is opened when none is given. */
export function openDocument(server, task, name, { version = "4.8.0", token = TOKEN, socket, doc = new Y.Doc(), ...configuration } = {}) {
  const { HocuspocusProvider } = providers[version];
  const own = socket ? null : openSocket(server, task, { version });
  const seen = { unsynced: [], denied: [], stateless: [], closed: [], authenticated: [] };
  const provider = new HocuspocusProvider({
    websocketProvider: socket ?? own,
    name,
    token,
    document: doc,
    onUnsyncedChanges: ({ number }) => seen.unsynced.push(number),
    onAuthenticationFailed: ({ reason }) => seen.denied.push(reason),
    // Version 2 tells the scope only as a property.
    onAuthenticated: (event) => seen.authenticated.push(event?.scope ?? provider.authorizedScope),
    onStateless: ({ payload }) => seen.stateless.push(JSON.parse(payload)),
    onClose: ({ event }) => seen.closed.push(event.reason),
    ...configuration,
  });
  // Since version 3 a provider on a shared socket is attached by hand.
  provider.attach?.();
  return face(doc, {
    provider,
    seen,
    socket: socket ?? own,
    synced: () => until(() => provider.synced, `${name} to be synced; denied: ${seen.denied}`),
    stored: () => until(() => provider.unsyncedChanges === 0, () => `${name} to be stored; unsynced changes: ${seen.unsynced.slice(-5)}`),
    close: () => {
      provider.destroy();
      own?.destroy();
      doc.destroy();
    },
  });
}

/** One document through the second door. */
export function openYWebsocket(server, task, path, { token = TOKEN, doc = new Y.Doc(), params = {} } = {}) {
  const provider = new WebsocketProvider(`${server.ws}/yjs/${task}`, path, doc, {
    params: { token, ...params },
    WebSocketPolyfill: WebSocket,
    disableBc: true,
  });
  const seen = { closes: 0, closed: [] };
  provider.on("connection-close", () => seen.closes++);
  provider.on("closed", (event) => seen.closed.push(event?.code));
  return face(doc, {
    provider,
    seen,
    synced: () => until(() => provider.synced, `${path} to be synced through the second door`),
    close: () => {
      provider.destroy();
      doc.destroy();
    },
  });
}

/** Waits until all editors show the same text, which `isGood` accepts. */
export async function converged(editors, isGood = () => true) {
  const texts = () => editors.map((editor) => editor.text());
  await until(
    () => texts().every((text) => text === texts()[0] && isGood(text)),
    () => `the same text everywhere; there is ${JSON.stringify(texts())}`,
  );
  return editors[0].text();
}
