// One CodeMirror editor on one shared text.

import { closeBrackets, closeBracketsKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, indentWithTab } from "@codemirror/commands";
import { bracketMatching, foldGutter, foldKeymap, indentOnInput, indentUnit } from "@codemirror/language";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorState } from "@codemirror/state";
import { drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter, highlightSpecialChars, keymap, lineNumbers } from "@codemirror/view";
import { yCollab, yUndoManagerKeymap } from "y-codemirror.next";
import { UndoManager } from "yjs";
import type { OpenDocument } from "../room/documents";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { otherCursors } from "./cursors";
import { indentOf, languageOf } from "./languages";
import { look, phrases } from "./look";

/** Edits that follow each other within this time are undone together. */
const UNDO_GROUP_MS = 500;

export class EditorInstance {
  readonly view: EditorView;
  private readonly undoManager: UndoManager;
  private readonly access = new Compartment();
  private readonly language = new Compartment();
  private path: string | undefined;

  constructor(
    parent: HTMLElement,
    readonly document: OpenDocument,
    user: { id: string; name: string },
  ) {
    // Tracks this editor's own changes only, so that undo never takes back what others typed.
    this.undoManager = new UndoManager(document.text, { captureTimeout: UNDO_GROUP_MS });
    document.awareness.setLocalStateField("user", { id: user.id, name: user.name });
    this.view = new EditorView({
      parent,
      state: EditorState.create({
        doc: document.text.toString(),
        extensions: [
          this.access.of([]),
          this.language.of([]),
          lineNumbers(),
          highlightActiveLineGutter(),
          highlightSpecialChars(),
          foldGutter(),
          drawSelection(),
          dropCursor(),
          EditorState.allowMultipleSelections.of(true),
          indentOnInput(),
          bracketMatching(),
          closeBrackets(),
          highlightActiveLine(),
          highlightSelectionMatches(),
          // Below, where it pushes no text.
          search({ top: false }),
          look,
          phrases(),
          keymap.of([...closeBracketsKeymap, ...yUndoManagerKeymap, ...searchKeymap, ...foldKeymap, indentWithTab, ...defaultKeymap]),
          yCollab(document.text, null, { undoManager: this.undoManager }),
          otherCursors(document.text, document.awareness),
        ],
      }),
    });
  }

  /** The file has this path now: its language may be another, the text and cursors stay. */
  setPath(path: string): void {
    if (path === this.path) return;
    this.path = path;
    const { view, language } = this;
    const label = EditorView.contentAttributes.of({ "aria-label": shownName(path), tabindex: "0", "aria-description": t.peek().editor.indent });
    view.dispatch({ effects: language.reconfigure([label, indentUnit.of(indentOf(path))]) });
    void languageOf(path).then((support) => {
      if (this.path === path) view.dispatch({ effects: language.reconfigure([label, indentUnit.of(indentOf(path)), support]) });
    });
  }

  setReadOnly(readOnly: boolean): void {
    const editable = readOnly ? [EditorState.readOnly.of(true), EditorView.contentAttributes.of({ "aria-readonly": "true" })] : [];
    this.view.dispatch({ effects: this.access.reconfigure(editable) });
  }

  close(): void {
    this.document.awareness.setLocalStateField("cursor", null);
    this.view.destroy();
    this.undoManager.destroy();
  }
}
