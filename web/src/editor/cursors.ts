// Other people's cursors and selections: a caret with the name, which shows while they move and when pointed at.
// Colours are the theme's, by a number of the room's: what others announce never becomes a style.

import { Annotation, RangeSet, type Extension, type Range } from "@codemirror/state";
import { Decoration, EditorView, ViewPlugin, WidgetType, type DecorationSet, type ViewUpdate } from "@codemirror/view";
import type { Awareness } from "y-protocols/awareness";
import { compareRelativePositions, createAbsolutePositionFromRelativePosition, createRelativePositionFromJSON, createRelativePositionFromTypeIndex, type Text } from "yjs";
import { colourNumber, roomColours } from "../people/colours";

/** What a page announces in a document. `cursor` is as y-codemirror.next has it, so that both understand each other. */
interface Announced {
  user?: { id?: unknown; name?: unknown };
  cursor?: { anchor: unknown; head: unknown } | null;
}

/** Where somebody is in the text. */
export interface OtherCursor {
  client: number;
  user: string;
  name: string;
  anchor: number;
  head: number;
}

const MAX_NAME = 64;
const moved = Annotation.define<true>();

/** The cursors of all others in the text, at their places as they are now. */
export function readCursors(text: Text, awareness: Awareness): OtherCursor[] {
  const document = text.doc;
  const found: OtherCursor[] = [];
  if (!document) return found;
  for (const [client, state] of awareness.getStates() as Map<number, Announced>) {
    if (client === awareness.clientID || !state.cursor) continue;
    try {
      const [anchor, head] = [state.cursor.anchor, state.cursor.head].map((place) => createAbsolutePositionFromRelativePosition(createRelativePositionFromJSON(place), document));
      if (anchor?.type !== text || head?.type !== text) continue;
      const name = typeof state.user?.name === "string" ? state.user.name.slice(0, MAX_NAME) : "?";
      found.push({ client, user: typeof state.user?.id === "string" ? state.user.id : name, name, anchor: anchor.index, head: head.index });
    } catch {
      // Somebody's program announces something else.
    }
  }
  return found;
}

class Caret extends WidgetType {
  constructor(
    readonly user: string,
    readonly name: string,
    readonly at: number,
    readonly colour: number,
  ) {
    super();
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement("span");
    caret.className = `other-caret person-${this.colour}`;
    const label = document.createElement("span");
    label.className = "other-name";
    label.textContent = this.name;
    // Word joiners keep the caret on the line of the letter before it.
    caret.append("\u2060", label, "\u2060");
    caret.setAttribute("aria-hidden", "true");
    return caret;
  }

  /** A caret that moved is drawn anew, so that its name shows again for a moment. */
  override eq(other: Caret): boolean {
    return other.user === this.user && other.name === this.name && other.at === this.at && other.colour === this.colour;
  }

  override ignoreEvent(): boolean {
    return true;
  }
}

class Cursors {
  decorations: DecorationSet = RangeSet.empty;
  private readonly listener: (change: { added: number[]; updated: number[]; removed: number[] }) => void;
  private frame = 0;
  private isStale = false;
  private readonly stopColours: () => void;

  constructor(
    private readonly view: EditorView,
    private readonly text: Text,
    private readonly awareness: Awareness,
  ) {
    this.listener = ({ added, updated, removed }) => {
      const isMine = [...added, ...updated, ...removed].every((client) => client === awareness.clientID);
      if (isMine) return;
      this.isStale = true;
      this.nextFrame();
    };
    awareness.on("change", this.listener);
    // Says what holds at once, which is drawn below.
    this.stopColours = roomColours.subscribe(() => {
      this.isStale = true;
      this.nextFrame();
    });
    this.decorations = this.draw();
  }

  update(update: ViewUpdate): void {
    if (update.selectionSet || update.docChanged || update.focusChanged) this.nextFrame();
    if (update.transactions.some((transaction) => transaction.annotation(moved))) this.decorations = this.draw();
    else if (update.docChanged) this.decorations = this.decorations.map(update.changes);
  }

  /** Announces and draws at most once a frame, however many type and however fast. */
  private nextFrame(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.announce();
      if (!this.isStale) return;
      this.isStale = false;
      this.view.dispatch({ annotations: moved.of(true) });
    });
  }

  destroy(): void {
    cancelAnimationFrame(this.frame);
    this.awareness.off("change", this.listener);
    this.stopColours();
  }

  /** Tells the others where the own cursor is. Without focus it stays where it was: one reads the log and comes back. */
  private announce(): void {
    if (!this.view.hasFocus) return;
    const { anchor, head } = this.view.state.selection.main;
    const next = { anchor: createRelativePositionFromTypeIndex(this.text, anchor), head: createRelativePositionFromTypeIndex(this.text, head) };
    const before = (this.awareness.getLocalState() as Announced | null)?.cursor;
    const isSame = before && compareRelativePositions(createRelativePositionFromJSON(before.anchor), next.anchor) && compareRelativePositions(createRelativePositionFromJSON(before.head), next.head);
    if (!isSame) this.awareness.setLocalStateField("cursor", next);
  }

  private draw(): DecorationSet {
    const ranges: Range<Decoration>[] = [];
    const length = this.view.state.doc.length;
    for (const cursor of readCursors(this.text, this.awareness)) {
      const [anchor, head] = [Math.min(cursor.anchor, length), Math.min(cursor.head, length)];
      const from = Math.min(anchor, head);
      const to = Math.max(anchor, head);
      const colour = colourNumber(cursor.user);
      if (from < to) ranges.push(Decoration.mark({ class: `other-selection person-${colour}` }).range(from, to));
      ranges.push(Decoration.widget({ widget: new Caret(cursor.user, cursor.name, head, colour), side: head > anchor ? -1 : 1 }).range(head));
    }
    return Decoration.set(ranges, true);
  }
}

/** Shows the others' cursors and announces the own one. */
export function otherCursors(text: Text, awareness: Awareness): Extension {
  return [ViewPlugin.define((view) => new Cursors(view, text, awareness), { decorations: (cursors) => cursors.decorations })];
}
