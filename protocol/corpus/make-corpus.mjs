// Makes the seed corpus with the JavaScript library, so that the Rust side is tested against what browsers send.
// Run beside an installation: npm i yjs@13.6.33 y-protocols@1.0.7 && node make-corpus.mjs
// Each .bin file is a list: varUint length and bytes of each item. The random numbers are fixed.
import { writeFileSync } from "node:fs";
import * as Y from "yjs";
import { Awareness, encodeAwarenessUpdate, removeAwarenessStates } from "y-protocols/awareness";
import * as encoding from "lib0/encoding";

let state = 20261122;
const random = (below) => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return (state >>> 8) % below;
};
const save = (name, items) => {
  const out = encoding.createEncoder();
  for (const item of items) encoding.writeVarUint8Array(out, item);
  writeFileSync(new URL(name, import.meta.url), encoding.toUint8Array(out));
};

// Three people type, delete and exchange; every update in the order in which a server would accept it.
const WORDS = ["x", " ", "hello ", "\n", "文件", "é", "😀", "👩‍👩‍👧", "print(1)\n", "a".repeat(40)];
const docs = [1, 2853463, 4028481061].map((id) => {
  const doc = new Y.Doc();
  doc.clientID = id;
  return doc;
});
const updates = [];
docs.forEach((doc) => doc.on("update", (update, origin) => origin !== "remote" && updates.push(update)));
for (let step = 0; step < 400; step++) {
  const doc = docs[random(3)];
  const text = doc.getText("source");
  const at = random(text.length + 1);
  const kind = random(10);
  if (kind < 6) text.insert(at, WORDS[random(WORDS.length)]);
  else if (kind < 8) text.delete(at, Math.min(1 + random(5), text.length - at));
  else if (kind < 9) doc.transact(() => { text.delete(0, Math.min(2, text.length)); text.insert(0, "é文"); });
  else for (const other of docs) {
    if (other !== doc) Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)), "remote");
  }
}
const all = new Y.Doc();
updates.forEach((update) => Y.applyUpdate(all, update));
save("updates.bin", updates);
writeFileSync(new URL("text.txt", import.meta.url), all.getText("source").toString());
save("states.bin", [
  Y.encodeStateAsUpdate(all),
  ...docs.map((doc) => Y.encodeStateAsUpdate(doc)),
  ...docs.map((doc) => Y.encodeStateAsUpdate(all, Y.encodeStateVector(doc))),
  Y.mergeUpdates(updates),
]);
save("state-vectors.bin", [...docs.map((doc) => Y.encodeStateVector(doc)), Y.encodeStateVector(all), new Uint8Array([0])]);

const presence = new Awareness(docs[1]);
const heard = [];
presence.on("update", ({ added, updated, removed }) =>
  heard.push(encodeAwarenessUpdate(presence, [...added, ...updated, ...removed])));
presence.setLocalState({ user: { name: "小明", color: "#30bced" }, cursor: null });
presence.setLocalStateField("cursor", { anchor: { type: null, tname: "source", item: { client: 1, clock: 3 }, assoc: 0 } });
removeAwarenessStates(presence, [docs[1].clientID], "gone");
heard.push(new Uint8Array([0]));
presence.destroy();
save("awareness.bin", heard);
process.exit(0);
