// What happens to the page's files after they are built: packed twins (.br, .gz) beside each, and a bound for what a
// browser loads before it shows a task.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Most bytes (brotli) that a browser fetches before it shows a page, the editor with its first file included. */
const MAX_FIRST_LOAD_BYTES = 300_000;

/** Smaller files are not worth a packed twin. */
const MIN_PACKED_BYTES = 512;

const PACKED = /\.(?:js|css|svg|json|webmanifest)$/;

/** Modules that are opened on demand and syntax languages are no part of the first load; their names say so. */
const LATER = /^(?:lang-|later-)/;

function pack(bytes: Buffer): { br: Buffer; gz: Buffer } {
  const br = brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
  return { br, gz: gzipSync(bytes, { level: 9 }) };
}

/** Writes the packed twins. */
export function compressed(): Plugin {
  let folder = "";
  return {
    name: "coderoom-compressed",
    apply: "build",
    configResolved: (config) => void (folder = join(config.root, config.build.outDir)),
    closeBundle() {
      for (const entry of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!PACKED.test(entry)) continue;
        const bytes = readFileSync(join(folder, entry));
        if (bytes.length < MIN_PACKED_BYTES) continue;
        const { br, gz } = pack(bytes);
        writeFileSync(join(folder, `${entry}.br`), br);
        writeFileSync(join(folder, `${entry}.gz`), gz);
      }
    },
  };
}

/** Fails the build when the first load has grown beyond its bound. */
export function firstLoad(): Plugin {
  return {
    name: "coderoom-first-load",
    apply: "build",
    writeBundle(options, bundle) {
      const chunks = new Map(Object.values(bundle).flatMap((file) => (file.type === "chunk" ? [[file.fileName, file] as const] : [])));
      const wanted = new Set<string>();
      const want = (name: string) => {
        const chunk = chunks.get(name);
        if (!chunk || wanted.has(name)) return;
        wanted.add(name);
        chunk.imports.forEach(want);
        for (const later of chunk.dynamicImports) if (!LATER.test(chunks.get(later)?.name ?? "")) want(later);
      };
      for (const chunk of chunks.values()) if (chunk.isEntry) want(chunk.fileName);
      const styles = Object.keys(bundle).filter((name) => name.endsWith(".css"));
      let total = 0;
      for (const name of [...wanted, ...styles]) total += pack(readFileSync(join(options.dir ?? "", name))).br.length;
      const said = `first load: ${(total / 1000).toFixed(0)} kB of ${MAX_FIRST_LOAD_BYTES / 1000} kB compressed`;
      if (total > MAX_FIRST_LOAD_BYTES) this.error(said);
      this.info(said);
    },
  };
}
