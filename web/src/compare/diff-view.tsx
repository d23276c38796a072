// One file of two sides, side by side, with what differs marked. Nothing can be changed here.

import { MergeView } from "@codemirror/merge";
import { EditorState, type Extension } from "@codemirror/state";
import { EditorView, lineNumbers } from "@codemirror/view";
import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { toastError } from "../app/toasts";
import { languageOf } from "../editor/languages";
import { look, phrases } from "../editor/look";
import type { Room } from "../room/room";
import { t } from "../texts/texts";
import type { Difference } from "./differences";
import { textOfSide } from "./sides";

/** Unchanged lines kept around each change. */
const CONTEXT_LINES = 3;
/** Fewer unchanged lines than these are not folded away. */
const LEAST_FOLDED = 8;
/** Longest time for finding what differs, in milliseconds; after it the marks are coarser. */
const DIFF_MS = 500;

interface DiffViewProps {
  room: Room;
  left: string;
  right: string;
  file: Difference;
  sizes: string;
}

export function DiffView({ room, left, right, file, sizes }: DiffViewProps) {
  const place = useRef<HTMLDivElement>(null);
  const isBlob = useSignal(false);
  useEffect(() => {
    let view: MergeView | null = null;
    let isGone = false;
    Promise.all([textOfSide(room, left, file.left), textOfSide(room, right, file.right), languageOf(file.path)]).then(([before, after, language]) => {
      if (isGone || !place.current) return;
      if (before === null || after === null) isBlob.value = true;
      else view = viewOf(place.current, before, after, language);
    }, toastError);
    return () => {
      isGone = true;
      view?.destroy();
    };
  }, []);
  if (isBlob.value) {
    return (
      <p class="nothing quiet">
        {t.value.compare.blob} {sizes}
      </p>
    );
  }
  return <div class="diff" ref={place} />;
}

function viewOf(parent: HTMLElement, before: string, after: string, language: Extension): MergeView {
  const extensions = [lineNumbers(), EditorState.readOnly.of(true), EditorView.contentAttributes.of({ "aria-readonly": "true" }), EditorView.lineWrapping, look, phrases(), language];
  return new MergeView({
    parent,
    a: { doc: before, extensions: [extensions, EditorView.contentAttributes.of({ "aria-label": t.value.compare.left })] },
    b: { doc: after, extensions: [extensions, EditorView.contentAttributes.of({ "aria-label": t.value.compare.right })] },
    collapseUnchanged: { margin: CONTEXT_LINES, minSize: LEAST_FOLDED },
    diffConfig: { timeout: DIFF_MS, scanLimit: 5_000 },
  });
}
