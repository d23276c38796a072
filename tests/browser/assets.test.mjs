// How the page's files are served: packed, cached for ever where the name has a hash, and guarded.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { startServer } from "./harness.mjs";

let server;
let script;

before(async () => {
  server = await startServer();
  const page = await (await fetch(server.url)).text();
  script = /src="(\/assets\/[^"]+\.js)"/.exec(page)?.[1];
});

after(() => server?.stop());

/** A plain request: `fetch` would unpack what it gets. */
function get(path, headers = {}) {
  return new Promise((resolve, reject) => {
    request(server.url + path, { headers }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) }));
    })
      .on("error", reject)
      .end();
  });
}

test("a script comes packed to those who take it, with the same content for all", async () => {
  const plain = await get(script);
  const br = await get(script, { "accept-encoding": "gzip, deflate, br" });
  const gz = await get(script, { "accept-encoding": "gzip" });
  assert.equal(plain.headers["content-encoding"], undefined);
  assert.equal(br.headers["content-encoding"], "br");
  assert.equal(gz.headers["content-encoding"], "gzip");
  assert.ok(brotliDecompressSync(br.body).equals(plain.body));
  assert.ok(gunzipSync(gz.body).equals(plain.body));
  assert.ok(br.body.length < plain.body.length / 2);
  for (const { headers } of [plain, br, gz]) {
    assert.match(headers["content-type"], /^text\/javascript/);
    assert.equal(headers.vary, "accept-encoding");
    assert.equal(headers["x-content-type-options"], "nosniff");
  }
});

test("files with a hash in their name are cached for ever, the page never", async () => {
  assert.equal((await get(script)).headers["cache-control"], "public, max-age=31536000, immutable");
  for (const path of ["/", "/tasks/01a2039f-c488-7170-bea5-000000000000", "/account", "/sign-in"]) {
    const { status, headers } = await get(path);
    assert.equal(status, 200, path);
    assert.equal(headers["cache-control"], "no-cache");
  }
});

test("a file that is known is not sent again", async () => {
  const { headers } = await get("/icon.svg");
  assert.equal(headers["cache-control"], "no-cache");
  const again = await get("/icon.svg", { "if-none-match": headers.etag });
  assert.equal(again.status, 304);
  assert.equal(again.body.length, 0);
});

test("the page allows its own scripts only, and a style nonce that is new each time", async () => {
  const [one, two] = [await get("/"), await get("/")];
  const policy = one.headers["content-security-policy"];
  assert.match(policy, /default-src 'none'; script-src 'self'; /);
  assert.match(policy, /frame-ancestors 'none'/);
  const nonce = /'nonce-([0-9a-f]{32})'/.exec(policy)?.[1];
  assert.ok(nonce && one.body.toString().includes(nonce));
  assert.notEqual(policy, two.headers["content-security-policy"]);
  assert.doesNotMatch(one.body.toString(), /<script(?![^>]*src=)/);
});

test("what is not there is not found", async () => {
  assert.equal((await get("/assets/nothing.js")).status, 404);
});
