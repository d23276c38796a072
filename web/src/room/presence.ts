// Who is in the room, and in which file: from the presence of the task's own address.

import { signal, type ReadonlySignal } from "@preact/signals-core";
import type { Awareness } from "y-protocols/awareness";
import { claimOf, colourFor, coloursOf, type Claim } from "./colour-claims";

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
  colour?: unknown;
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
  /** Numbers of people's colours by their ids. */
  readonly colours: ReadonlySignal<ReadonlyMap<string, number>>;
  private readonly list = signal<readonly Person[]>([]);
  private readonly numbers = signal<ReadonlyMap<string, number>>(new Map());
  private user: { id: string; name: string } | null = null;
  private claim: Claim | null = null;

  constructor(private readonly awareness: Awareness) {
    this.people = this.list;
    this.colours = this.numbers;
    awareness.on("change", () => this.look());
  }

  /** Tells the others who this is. At the beginning, when it can be seen which colours the others have. */
  introduce(user: { id: string; name: string }): void {
    if (this.user) return;
    this.user = user;
    this.awareness.setLocalStateField("user", { id: user.id, name: user.name });
  }

  /** Tells the others which file is looked at. */
  lookAt(file: string | null): void {
    this.awareness.setLocalStateField("file", file);
  }

  private look(): void {
    const states = this.awareness.getStates() as Map<number, Announced>;
    this.takeColour(states);
    this.list.value = peopleIn(states.values(), this.list.peek());
    const numbers = coloursOf(claimsIn(states));
    const before = this.numbers.peek();
    const isSame = numbers.size === before.size && [...numbers].every(([id, number]) => before.get(id) === number);
    if (!isSame) this.numbers.value = numbers;
  }

  /** Takes a colour, or another one when somebody had it before. */
  private takeColour(states: Map<number, Announced>): void {
    const { user, awareness, claim } = this;
    if (!user) return;
    const others = claimsIn(states).filter(({ client }) => client !== awareness.clientID);
    const colour = colourFor(user.id, claim, others);
    if (claim?.colour === colour) return;
    this.claim = { user: user.id, client: awareness.clientID, colour, since: claim?.since ?? Date.now() };
    awareness.setLocalStateField("colour", { number: colour, since: this.claim.since });
  }
}

function claimsIn(states: Map<number, Announced>): Claim[] {
  return [...states].flatMap(([client, { user, colour }]) => (typeof user?.id === "string" ? [claimOf(user.id, client, colour)] : []));
}
