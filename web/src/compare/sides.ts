// The files of one side of a comparison: what there is, and the text of one.

import { fileUrl, runFileUrl, runFiles, taskTexts } from "../api/tasks";
import type { Node } from "../messages.generated";
import type { Room } from "../room/room";
import { filesOf } from "../tree/apply-changes";
import { NOW } from "./compare-state";
import type { SideFile } from "./differences";

/** Larger files are no texts, and nobody compares them by eye, in bytes. */
const MAX_TEXT_BYTES = 4 * 1024 * 1024;

/** The files of a side, their contents not yet loaded. */
export async function filesOfSide(room: Room, side: string): Promise<SideFile[]> {
  if (side === NOW) return filesNow(room);
  const { files } = await runFiles(side);
  return files.map(({ path, size, sha256 }) => ({ path, size, sha256, isText: size <= MAX_TEXT_BYTES }));
}

/** The content as text; null when it is none. */
export async function textOfSide(room: Room, side: string, file: SideFile | undefined): Promise<string | null> {
  if (!file) return "";
  if (!file.isText) return null;
  const response = await fetch(side === NOW ? fileUrl(room.id, file.path) : runFileUrl(side, file.path));
  if (!response.ok) throw new Error(`${file.path}: HTTP ${response.status}`);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(await response.arrayBuffer());
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

async function filesNow(room: Room): Promise<SideFile[]> {
  // Where all texts together are too many to load, nothing is known of their contents, and they count as changed.
  const nodes = await taskTexts(room.id).then(({ tree }) => filesOf(tree), () => [...room.files.peek().values()]);
  return Promise.all(nodes.map(async (node) => ({ path: node.path, size: node.size, sha256: await hashOf(room, node), isText: node.kind === "text" })));
}

async function hashOf(room: Room, node: Node): Promise<string | null> {
  if (node.kind === "blob") {
    const response = await fetch(fileUrl(room.id, node.path), { method: "HEAD" }).catch(() => null);
    return /^"([0-9a-f]{64})"$/.exec(response?.headers.get("etag") ?? "")?.[1] ?? null;
  }
  // Browsers have it only where the page came over HTTPS or from this machine.
  if (typeof node.text !== "string" || !globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(node.text));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
