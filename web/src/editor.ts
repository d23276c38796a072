// A CodeMirror editor bound to one shared text.

import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { python } from "@codemirror/lang-python";
import { bracketMatching, defaultHighlightStyle, indentOnInput, StreamLanguage, syntaxHighlighting } from "@codemirror/language";
import { scala } from "@codemirror/legacy-modes/mode/clike";
import { r } from "@codemirror/legacy-modes/mode/r";
import { shell } from "@codemirror/legacy-modes/mode/shell";
import { highlightSelectionMatches, searchKeymap } from "@codemirror/search";
import { EditorState, type Extension } from "@codemirror/state";
import { drawSelection, EditorView, highlightActiveLine, keymap, lineNumbers } from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import * as Y from "yjs";
import type { OpenDocument } from "./room";

/** Colours of remote cursors; each differs in lightness too, so that hue is not the only difference. */
const COLOURS = ["#b45309", "#1d4ed8", "#be185d", "#047857", "#6d28d9", "#b91c1c", "#0e7490", "#4d7c0f"];

/** A steady colour for a name. */
export function colourOf(name: string): string {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return COLOURS[sum % COLOURS.length] ?? "#1d4ed8";
}

function languageOf(path: string): Extension {
  if (path.endsWith(".py")) return python();
  if (path.endsWith(".scala")) return StreamLanguage.define(scala);
  if (/\.r$/i.test(path)) return StreamLanguage.define(r);
  if (path.endsWith(".sh")) return StreamLanguage.define(shell);
  return [];
}

/** Shows the document in `parent`; returns the function that takes it down. */
export function showEditor(parent: HTMLElement, open: OpenDocument, path: string, userName: string, readOnly: boolean): () => void {
  const colour = colourOf(userName);
  open.provider.awareness?.setLocalStateField("user", { name: userName, color: colour, colorLight: `${colour}33` });
  const undoManager = new Y.UndoManager(open.text);
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: open.text.toString(),
      extensions: [
        lineNumbers(),
        drawSelection(),
        highlightActiveLine(),
        bracketMatching(),
        indentOnInput(),
        highlightSelectionMatches(),
        syntaxHighlighting(defaultHighlightStyle),
        keymap.of([...yUndoManagerKeymap, ...searchKeymap, indentWithTab, ...defaultKeymap]),
        languageOf(path),
        yCollab(open.text, open.provider.awareness, { undoManager }),
        EditorState.readOnly.of(readOnly),
        EditorView.editable.of(!readOnly),
        // The server allows style elements with this nonce only (see server/src/http/web.rs).
        EditorView.cspNonce.of(document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? ""),
        EditorView.contentAttributes.of({ "aria-label": path }),
      ],
    }),
  });
  return () => {
    view.destroy();
    undoManager.destroy();
  };
}
