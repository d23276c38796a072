import { describe, expect, it } from "vitest";
import { claimOf, COLOURS, colourFor, coloursOf, usualColour, type Claim } from "./colour-claims";

/** Pages of people who came one after the other, each of whom saw all before. */
function come(...users: string[]): Claim[] {
  const claims: Claim[] = [];
  users.forEach((user, index) => claims.push({ user, client: index, colour: colourFor(user, null, claims), since: 100 + index }));
  return claims;
}

/** Ids whose usual colour is the same. */
const alike = Array.from({ length: 400 }, (_, index) => `user ${index}`).filter((id) => usualColour(id) === 3);
const [ana, bo, cy] = alike as [string, string, string];

/** Lets every page look and give way until nobody does any more. */
function settle(claims: Claim[]): Claim[] {
  for (let round = 0; round < 20; round++) {
    const next = claims.map((mine) => ({ ...mine, colour: colourFor(mine.user, mine, claims.filter((other) => other !== mine)) }));
    if (next.every(({ colour }, index) => colour === claims[index]?.colour)) return claims;
    claims = next;
  }
  throw new Error("they never agree");
}

describe("colours of people in a room", () => {
  it("are all different while there are colours, also of people whose usual colour is the same", () => {
    const claims = come(...alike.slice(0, COLOURS));
    expect(new Set(claims.map(({ colour }) => colour)).size).toBe(COLOURS);
    expect(claims[0]?.colour).toBe(3);
    // Who comes then has the usual one, and nobody gives way.
    const [, ...later] = settle(come(...alike.slice(0, COLOURS + 1))).reverse();
    expect(later.reverse()).toEqual(claims);
  });

  it("stay when somebody else goes", () => {
    const [, ...rest] = come(ana, bo, cy);
    expect(settle(rest)).toEqual(rest);
  });

  it("are one for all pages of a person: that of the first page", () => {
    const claims = come(ana, bo, bo);
    expect(claims[2]?.colour).toBe(claims[1]?.colour);
    expect(coloursOf(claims).size).toBe(2);
    const apart: Claim[] = [{ user: bo, client: 1, colour: 5, since: 1 }, { user: bo, client: 2, colour: 6, since: 2 }];
    expect(coloursOf(apart).get(bo)).toBe(5);
    expect(settle(apart).map(({ colour }) => colour)).toEqual([5, 5]);
  });

  it("that two took at once stay with who was first, and the other takes another", () => {
    const both: Claim[] = [ana, bo, cy].map((user, client) => ({ user, client, colour: 3, since: 9 - client }));
    const settled = coloursOf(settle(both));
    expect(settled.get(cy)).toBe(3);
    expect(new Set(settled.values()).size).toBe(3);
  });

  it("are read with care from what others announce", () => {
    for (const odd of [undefined, null, 7, "red", {}, { number: 8, since: 1 }, { number: -1, since: 1 }, { number: 1.5, since: 1 }, { number: 2 }, { number: "2", since: 1 }]) {
      expect(claimOf(ana, 1, odd)).toEqual({ user: ana, client: 1, colour: 3, since: 0 });
    }
    expect(claimOf(ana, 1, { number: 2, since: 5 })).toEqual({ user: ana, client: 1, colour: 2, since: 5 });
  });

  it("give way to a program that takes no colour", () => {
    const [program, page] = [claimOf(ana, 1, undefined), { user: bo, client: 2, colour: 3, since: 5 }];
    expect(colourFor(bo, page, [program])).not.toBe(3);
  });
});
