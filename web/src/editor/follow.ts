// Following a person: their file is shown, and the view goes where their cursor goes. Ends with the first own key or press
// in the editor, or when they leave.

import { effect, signal } from "@preact/signals";
import { EditorView } from "@codemirror/view";
import type { Room } from "../room/room";
import { readCursors } from "./cursors";
import type { EditorInstance } from "./editor-instance";
import type { Tabs } from "./tabs";

export class Follow {
  /** The user who is followed. */
  readonly who = signal<string | null>(null);

  constructor(
    private readonly room: Room,
    private readonly tabs: Tabs,
  ) {}

  toggle(user: string): void {
    this.who.value = this.who.value === user ? null : user;
  }

  /** Shows the file of the one who is followed; returns the end of it. */
  followFiles(): () => void {
    return effect(() => {
      const who = this.who.value;
      if (!who) return;
      const person = this.room.presence.people.value.find(({ id }) => id === who);
      if (!person) this.who.value = null;
      else if (person.files[0]) this.tabs.openFile(person.files[0]);
    });
  }

  /** Keeps an editor's view at the cursor of the one who is followed; returns the end of it. */
  followCursor({ view, document }: EditorInstance): () => void {
    let shown = -1;
    const look = () => {
      const who = this.who.peek();
      const cursor = who && readCursors(document.text, document.awareness).find(({ user }) => user === who);
      if (!cursor || cursor.head === shown) return;
      shown = cursor.head;
      view.dispatch({ effects: EditorView.scrollIntoView(Math.min(cursor.head, view.state.doc.length), { y: "center" }) });
    };
    const stop = effect(() => {
      shown = -1;
      if (this.who.value) look();
    });
    const letGo = () => (this.who.value = null);
    document.awareness.on("change", look);
    view.dom.addEventListener("keydown", letGo);
    view.dom.addEventListener("pointerdown", letGo);
    view.dom.addEventListener("wheel", letGo, { passive: true });
    return () => {
      stop();
      document.awareness.off("change", look);
      for (const kind of ["keydown", "pointerdown", "wheel"]) view.dom.removeEventListener(kind, letGo);
    };
  }
}
