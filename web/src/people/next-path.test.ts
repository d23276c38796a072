import { describe, expect, it } from "vitest";
import { browserName } from "./browser-name";
import { nextOf } from "./next-path";

describe("after signing in", () => {
  it("one comes where one wanted to go, with what follows #", () => {
    expect(nextOf(`?next=${encodeURIComponent("/join#abc")}`)).toBe("/join#abc");
    expect(nextOf("")).toBe("/");
  });
  it("one never leaves this site", () => {
    for (const bad of ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "/tasks\n/"]) expect(nextOf(`?next=${encodeURIComponent(bad)}`)).toBe("/");
  });
});

describe("browserName", () => {
  it("calls browsers as people do", () => {
    const chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";
    expect(browserName(chrome)).toBe("Chrome, Linux");
    expect(browserName(`${chrome} Edg/130.0`)).toBe("Edge, Linux");
    expect(browserName("Mozilla/5.0 (Windows NT 10.0; rv:130.0) Gecko/20100101 Firefox/130.0")).toBe("Firefox, Windows");
    expect(browserName("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15) AppleWebKit/605 (KHTML, like Gecko) Version/17 Safari/605")).toBe("Safari, macOS");
    expect(browserName("curl/8")).toBe("curl/8");
  });
});
