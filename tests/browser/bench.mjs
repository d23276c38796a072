// The interaction budget, measured in the browser: key to paint in a 5,000-line file while five others type, and frames
// while 100,000 lines of log come. `make bench-web`; the numbers go to docs/benchmarks.md by hand.

import { createRequire } from "node:module";
import { openTask, signedIn, startBrowser, startServer, until } from "./harness.mjs";

// Stock clients as the other typers: five more browsers would measure the machine, not the page.
const stock = createRequire(new URL("../clients/package.json", import.meta.url));
const { HocuspocusProvider, HocuspocusProviderWebsocket } = stock("@hocuspocus/provider");
const { WebSocket } = stock("ws");

const LINES = 5_000;
const KEYS = 300;
const TYPERS = 5;
/** A quick typist: milliseconds between keys. */
const KEY_EVERY_MS = 120;
const LOG_LINES = 100_000;

/** Types and gives how long each key took until the frame with it was painted. */
async function keysToPaint(page) {
  await page.evaluate(() => {
    globalThis.latencies = [];
    addEventListener(
      "keydown",
      (event) => {
        const began = event.timeStamp;
        // The task after a frame begins when that frame was painted.
        requestAnimationFrame(() => {
          const channel = new MessageChannel();
          channel.port1.onmessage = () => globalThis.latencies.push(performance.now() - began);
          channel.port2.postMessage(null);
        });
      },
      { capture: true },
    );
  });
  for (let key = 0; key < KEYS; key++) {
    await page.keyboard.press(key % 40 === 39 ? "Enter" : "a");
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  const latencies = (await page.evaluate(() => globalThis.latencies)).sort((left, right) => left - right);
  const at = (share) => latencies[Math.floor(latencies.length * share)].toFixed(1);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, p99 ${at(0.99)} ms (${latencies.length} keys)`;
}

const server = await startServer();
const browser = await startBrowser();
const errors = [];
try {
  const person = await server.person("ana");
  const task = await server.task("bench", "python", { ana: "owner" });
  const { token } = await server.call("POST", "/tokens", { name: "typers" });
  const text = Array.from({ length: LINES }, (_, line) => `value_${line} = compute(${line}, "text of line ${line}")  # comment`).join("\n");
  await server.call("PUT", `/tasks/${task}/files/run.py`, text);
  // What the machine and the browser need by themselves, at the same time.
  const bare = await (await browser.newContext()).newPage();
  await bare.setContent("<textarea></textarea>");
  await bare.locator("textarea").click();
  console.log(`key to paint, an empty page with a text field: ${await keysToPaint(bare)}`);
  await bare.context().close();

  const page = await signedIn(browser, server, person, errors);
  await openTask(page, server, task);
  const { tree } = await server.call("GET", `/tasks/${task}/tree`);
  const file = tree.children.find(({ path }) => path === "run.py").id;

  const socket = new HocuspocusProviderWebsocket({ url: `${server.url.replace("http", "ws")}/ws/tasks/${task}`, WebSocketPolyfill: WebSocket });
  const typers = Array.from({ length: TYPERS }, (_, number) => {
    const provider = new HocuspocusProvider({ websocketProvider: socket, name: file, token, sessionAwareness: true });
    provider.attach();
    provider.setAwarenessField("user", { id: `typer-${number}`, name: `typer ${number}` });
    return provider;
  });
  await until(() => typers.every(({ synced }) => synced), "the typers to be synced");
  const Y = stock("yjs");
  const typing = typers.map((provider, number) => {
    const shared = provider.document.getText("source");
    // Near the top, where the page looks: what they type is drawn.
    const place = Y.createRelativePositionFromTypeIndex(shared, (number + 2) * 60);
    return setInterval(() => {
      const at = Y.createAbsolutePositionFromRelativePosition(place, provider.document).index;
      shared.insert(at, "x");
      const cursor = Y.createRelativePositionFromTypeIndex(shared, at + 1);
      provider.setAwarenessField("cursor", { anchor: cursor, head: cursor });
    }, KEY_EVERY_MS + number * 7);
  });

  await page.locator(".cm-content").click();
  await page.keyboard.press("Control+Home");
  console.log(`key to paint, ${LINES} lines, ${TYPERS} remote typers: ${await keysToPaint(page)}`);
  typing.forEach(clearInterval);
  socket.destroy();

  await server.call("PUT", `/tasks/${task}/files/run.py`, `import sys\nsys.stdout.write("".join(f"line {i} of a log that comes as fast as it can be written, 100 bytes wide, and so on and on\\n" for i in range(${LOG_LINES})))\n`);
  await page.evaluate(() => {
    globalThis.frames = [];
    const tick = (now) => {
      globalThis.frames.push(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const began = await page.evaluate(() => performance.now());
  await page.keyboard.press("Control+Enter");
  // Every look costs the page a little; that is part of what is measured.
  await until(async () => (await page.locator(".state-3").count()) > 0 && (await page.locator(".log").getAttribute("data-lines")) === String(LOG_LINES), "the end of the log");
  const { frames, ended } = await page.evaluate(() => ({ frames: globalThis.frames, ended: performance.now() }));
  const during = frames.filter((time) => time >= began && time <= ended);
  const gaps = during.slice(1).map((time, index) => time - during[index]).sort((left, right) => left - right);
  const rate = (during.length / (ended - began)) * 1000;
  console.log(`burst of ${LOG_LINES} log lines in ${((ended - began) / 1000).toFixed(1)} s: ${rate.toFixed(0)} frames a second, longest gap ${gaps.at(-1).toFixed(0)} ms, p99 gap ${gaps[Math.floor(gaps.length * 0.99)].toFixed(0)} ms`);
} finally {
  await browser.close();
  await server.stop();
}
if (errors.length > 0) throw new Error(errors.join("; "));
process.exit(0);
