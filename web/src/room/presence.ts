// Who is in the room, and in which file: from the presence of the task's own address.

import { signal, type ReadonlySignal } from "@preact/signals-core";
import type { Awareness } from "y-protocols/awareness";

export interface Person {
  /** The user's id. */
  readonly id: string;
  readonly name: string;
  /** The files they look at, one for each of their pages. */
  readonly files: readonly string[];
}

/** What a page announces; other clients may announce anything, so it is read with care. */
interface Announced {
  user?: { id?: unknown; name?: unknown };
  file?: unknown;
}

/** Longest name that is shown. */
const MAX_NAME = 64;

/** The people behind the states of a room, each once however many pages they have open: first who was there `before`, so that nobody moves when another comes, then by name. */
export function peopleIn(states: Iterable<Announced>, before: readonly Person[] = []): Person[] {
  const people = new Map<string, { id: string; name: string; files: string[] }>();
  for (const { user, file } of states) {
    if (typeof user?.id !== "string" || typeof user.name !== "string" || user.name === "") continue;
    const person = people.get(user.id) ?? { id: user.id, name: user.name.slice(0, MAX_NAME), files: [] };
    if (typeof file === "string" && !person.files.includes(file)) person.files.push(file);
    people.set(user.id, person);
  }
  const places = new Map(before.map(({ id }, place) => [id, place]));
  const place = ({ id }: Person) => places.get(id) ?? before.length;
  return [...people.values()].sort((left, right) => place(left) - place(right) || left.name.localeCompare(right.name) || (left.id < right.id ? -1 : 1));
}

export class Presence {
  readonly people: ReadonlySignal<readonly Person[]>;
  private readonly list = signal<readonly Person[]>([]);

  constructor(private readonly awareness: Awareness) {
    this.people = this.list;
    awareness.on("change", () => (this.list.value = peopleIn(awareness.getStates().values() as Iterable<Announced>, this.list.peek())));
  }

  /** Tells the others who this is. */
  introduce(user: { id: string; name: string }): void {
    this.awareness.setLocalStateField("user", user);
  }

  /** Tells the others which file is looked at. */
  lookAt(file: string | null): void {
    this.awareness.setLocalStateField("file", file);
  }
}
