// The names in a zip, from its directory at the end, and the language they speak of; nothing is unpacked.

import type { Language } from "../messages.generated";

/** Most bytes of the end that are read: a directory of some thousand names. */
const TAIL_BYTES = 1_000_000;
const ENTRY = 0x02014b50;

/** The names of a zip's entries; those that are found when it is large or broken. The server is the one who judges it. */
export async function zipNames(zip: Blob): Promise<string[]> {
  const bytes = new Uint8Array(await zip.slice(Math.max(0, zip.size - TAIL_BYTES)).arrayBuffer());
  const view = new DataView(bytes.buffer);
  const text = new TextDecoder();
  const names: string[] = [];
  for (let at = 0; at + 46 <= bytes.length; ) {
    if (view.getUint32(at, true) !== ENTRY) {
      at++;
      continue;
    }
    const [name, extra, comment] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    names.push(text.decode(bytes.subarray(at + 46, at + 46 + name)));
    at += 46 + name + extra + comment;
  }
  return names;
}

const ENDINGS: readonly [Language, RegExp][] = [
  ["python", /\.py$/i],
  ["scala", /\.(?:scala|sc)$/i],
  ["r", /\.r$/i],
];

/** The language that most of the names are in; Python when none is in any. */
export function languageOfNames(names: readonly string[]): Language {
  const counts = ENDINGS.map(([language, ending]) => ({ language, count: names.filter((name) => ending.test(name)).length }));
  return counts.reduce((most, each) => (each.count > most.count ? each : most)).language;
}
