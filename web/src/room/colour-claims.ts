// Which colour each person in a room has. Every page announces the one it has taken, and since when: what is announced is the same
// for everybody, so all see the same colours, and nobody's changes when others come and go. Two who took the same at once see it,
// and the later one takes another.

/** Number of `--person-N` colours in theme/tokens.css. */
export const COLOURS = 8;

/** The number of the colour that a person has where nobody else has it. */
export function usualColour(user: string): number {
  let sum = 0;
  for (const letter of user) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) >>> 0;
  return sum % COLOURS;
}

/** What one page announces. */
export interface Claim {
  /** The user's id. */
  readonly user: string;
  /** The number of the page's client. */
  readonly client: number;
  readonly colour: number;
  /** Milliseconds since the Unix epoch. Clocks differ: it decides only between two who came at once, and for all in the same way. */
  readonly since: number;
}

/** Reads a claim from what a page announced about itself. A program that takes no colour has its usual one, and does not give way. */
export function claimOf(user: string, client: number, announced: unknown): Claim {
  const { number, since } = (announced ?? {}) as { number?: unknown; since?: unknown };
  const isColour = typeof number === "number" && Number.isInteger(number) && number >= 0 && number < COLOURS;
  return isColour && typeof since === "number" ? { user, client, colour: number, since } : { user, client, colour: usualColour(user), since: 0 };
}

const isBefore = (left: Claim, right: Claim) =>
  left.since !== right.since ? left.since < right.since : left.user !== right.user ? left.user < right.user : left.client < right.client;

/** The claim that counts for each person, by user id: that of the page that was first. */
function firstOfEach(claims: Iterable<Claim>): Map<string, Claim> {
  const first = new Map<string, Claim>();
  for (const claim of claims) {
    const other = first.get(claim.user);
    if (!other || isBefore(claim, other)) first.set(claim.user, claim);
  }
  return first;
}

/** The colour of each person, by user id. */
export function coloursOf(claims: Iterable<Claim>): Map<string, number> {
  return new Map([...firstOfEach(claims).values()].map(({ user, colour }) => [user, colour]));
}

/** The colour that a page should have, given what it has (none at first) and what all other pages announce. */
export function colourFor(user: string, mine: Claim | null, others: readonly Claim[]): number {
  const first = firstOfEach(mine ? [...others, mine] : others);
  const ruling = first.get(user);
  // One person has one colour on all their pages.
  if (ruling && ruling !== mine) return ruling.colour;
  first.delete(user);
  const people = [...first.values()];
  if (mine && !people.some((other) => other.colour === mine.colour && isBefore(other, mine))) return mine.colour;
  const taken = new Set(people.map(({ colour }) => colour));
  const wish = usualColour(user);
  for (let step = 0; step < COLOURS; step++) {
    const colour = (wish + step) % COLOURS;
    if (!taken.has(colour)) return colour;
  }
  return wish;
}
