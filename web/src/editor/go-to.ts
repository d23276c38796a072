// Goes to a place in a file, as soon as the file is shown.

import { effect, signal } from "@preact/signals";
import { EditorView } from "@codemirror/view";
import type { EditorInstance } from "./editor-instance";
import type { Tabs } from "./tabs";

interface Place {
  file: string;
  /** From 1. */
  line: number;
  /** From 0, and how many characters to select. */
  column: number;
  length: number;
}

const wanted = signal<Place | null>(null);

/** Opens the file and selects the place in it. */
export function goTo(tabs: Tabs, place: Place): void {
  wanted.value = place;
  tabs.openFile(place.file);
}

/** An editor that can take the focus to a wanted place of its file; returns the end of it. */
export function offerGoTo(file: string, { view }: EditorInstance): () => void {
  return effect(() => {
    const place = wanted.value;
    if (place?.file !== file) return;
    wanted.value = null;
    // The text may have changed since it was searched.
    const line = view.state.doc.line(Math.min(place.line, view.state.doc.lines));
    const anchor = Math.min(line.from + place.column, line.to);
    const head = Math.min(anchor + place.length, line.to);
    view.dispatch({ selection: { anchor, head }, effects: EditorView.scrollIntoView(anchor, { y: "center" }) });
    view.focus();
  });
}
