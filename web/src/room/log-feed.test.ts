import { signal } from "@preact/signals-core";
import { describe, expect, it } from "vitest";
import { LogFeed, type LogPiece } from "./log-feed";
import type { Request } from "./requests";
import type { Connection } from "./socket";

function setUp() {
  const asked: Request[] = [];
  const pieces: LogPiece[] = [];
  const ends: number[] = [];
  const welcomes = signal(1);
  const connection = signal<Connection>("online");
  const feed = new LogFeed((request) => (asked.push(request), Promise.resolve({})), welcomes, connection);
  const stop = feed.follow("r", 0, { piece: (piece) => pieces.push(piece), end: ({ size }) => ends.push(size), failed: () => undefined });
  const log = (offset: number, end: number) => feed.receive({ type: "log", run: "r", offset, end, stream: "out", at: 0, text: "x".repeat(end - offset) });
  return { asked, pieces, ends, welcomes, connection, feed, stop, log };
}

describe("LogFeed", () => {
  it("goes on after a reconnect exactly where it stopped", () => {
    const { asked, welcomes, connection, log } = setUp();
    log(0, 5);
    log(5, 9);
    connection.value = "offline";
    connection.value = "online";
    welcomes.value++;
    expect(asked).toEqual([
      { type: "follow", run: "r", offset: 0 },
      { type: "follow", run: "r", offset: 9 },
    ]);
  });
  it("passes no byte twice and asks again for what is missing", () => {
    const { asked, pieces, log } = setUp();
    log(0, 5);
    log(0, 5);
    log(7, 9);
    expect(pieces.map(({ offset, end }) => [offset, end])).toEqual([[0, 5]]);
    expect(asked.at(-1)).toEqual({ type: "follow", run: "r", offset: 5 });
    log(5, 9);
    expect(pieces.at(-1)?.end).toBe(9);
  });
  it("does not follow a log again that came whole, and unfollows one that did not", () => {
    const whole = setUp();
    whole.feed.receive({ type: "log_end", run: "r", size: 0, sha256: "", truncated: false });
    whole.welcomes.value++;
    whole.stop();
    expect(whole.asked).toHaveLength(1);
    expect(whole.ends).toEqual([0]);
    const cut = setUp();
    cut.stop();
    expect(cut.asked.at(-1)).toEqual({ type: "unfollow", run: "r" });
  });
});
