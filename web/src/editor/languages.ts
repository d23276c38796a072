// Which syntax a file has, by its name. Each is loaded when the first such file is opened.

import type { Extension } from "@codemirror/state";

type Loader = () => Promise<Extension>;

const LOADERS: Readonly<Record<string, Loader>> = {
  py: async () => (await import("./lang-python")).support,
  scala: async () => (await import("./lang-scala")).support,
  r: async () => (await import("./lang-r")).support,
  sh: async () => (await import("./lang-shell")).support,
  json: async () => (await import("./lang-json")).support,
  md: async () => (await import("./lang-markdown")).support,
  yaml: async () => (await import("./lang-yaml")).support,
  csv: async () => (await import("./lang-csv")).support(","),
  tsv: async () => (await import("./lang-csv")).support("\t"),
};

const SAME: Readonly<Record<string, string>> = { pyi: "py", sc: "scala", sbt: "scala", bash: "sh", zsh: "sh", rprofile: "r", markdown: "md", yml: "yaml", jsonl: "json", ipynb: "json" };

/** The ending that decides, in lower case; empty when there is none. */
export function endingOf(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const ending = name.slice(name.lastIndexOf(".") + 1);
  return ending === name && !name.startsWith(".") ? "" : (SAME[ending] ?? ending);
}

/** What the editor needs for the file's language; nothing for names it does not know, or when it cannot be loaded. */
export async function languageOf(path: string): Promise<Extension> {
  try {
    return (await LOADERS[endingOf(path)]?.()) ?? [];
  } catch {
    // Offline, or the server has newer files by now: plain text is better than none.
    return [];
  }
}

/** One step of indentation as the language's people write it. */
export function indentOf(path: string): string {
  const ending = endingOf(path);
  return ending === "py" ? "    " : ending === "tsv" ? "\t" : "  ";
}
