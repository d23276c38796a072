import { describe, expect, it } from "vitest";
import type { LogStream } from "../messages.generated";
import { LogLines } from "./log-lines";

function lines(...pieces: [string, LogStream?][]): string[] {
  const log = new LogLines();
  for (const [text, stream] of pieces) log.append(text, stream ?? "out");
  return Array.from({ length: log.count }, (_, number) => `${log.at(number)?.stream}:${log.at(number)?.text}`);
}

describe("LogLines", () => {
  it("puts pieces together to lines, wherever they were cut", () => {
    expect(lines(["on"], ["e\ntw"], ["o\n\nthr"], ["ee"])).toEqual(["out:one", "out:two", "out:", "out:three"]);
  });
  it("begins a line when another stream speaks", () => {
    expect(lines(["a"], ["oops\n", "err"], ["b\n"])).toEqual(["out:a", "err:oops", "out:b"]);
  });
  it("shows what was written last over the same line", () => {
    expect(lines(["10 %\r20 %\r"], ["30 %\n"], ["dos\r\n"])).toEqual(["out:30 %", "out:dos\r"]);
  });
  it("carries colours over lines until they end", () => {
    const log = new LogLines();
    log.append("\u001b[31mred\nstill\n\u001b[0mplain\nend\n", "out");
    expect([0, 1, 2, 3].map((number) => log.at(number)?.carried)).toEqual(["", "\u001b[31m", "\u001b[31m", ""]);
  });
  it("takes 300,000 lines in pieces of 8 kB", () => {
    const log = new LogLines();
    const piece = "x".repeat(79).concat("\n").repeat(100);
    for (let number = 0; number < 3_000; number++) log.append(piece, "out");
    expect(log.count).toBe(300_000);
    expect(log.at(299_999)?.text).toHaveLength(79);
    expect(log.at(300_000)).toBeUndefined();
  });
});
