import { describe, expect, it } from "vitest";
import { RequestError, Requests } from "./requests";

describe("Requests", () => {
  it("finds the one who asked, whatever the order of replies", async () => {
    const sent: { id: string }[] = [];
    const requests = new Requests((message) => (sent.push(JSON.parse(message) as { id: string }), true));
    const [first, second] = [requests.ask({ type: "ping" }), requests.ask({ type: "tree" })];
    requests.answer({ id: sent[1]?.id ?? "", ok: false, error: { code: "not_found", message: "No." } });
    requests.answer({ id: sent[0]?.id ?? "", ok: true, result: {} });
    await expect(first).resolves.toEqual({});
    await expect(second).rejects.toMatchObject({ code: "not_found", message: "No." });
  });
  it("fails at once without a connection, and when the connection breaks", async () => {
    await expect(new Requests(() => false).ask({ type: "ping" })).rejects.toBeInstanceOf(RequestError);
    const requests = new Requests(() => true);
    const asked = requests.ask({ type: "ping" });
    requests.dropAll();
    await expect(asked).rejects.toMatchObject({ code: "offline" });
  });
});
