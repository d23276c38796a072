// The interaction budget, measured in the browser: key to paint in a 5,000-line file while five others type, and frames
// while 100,000 lines of log come. `make bench-web`; the numbers go to docs/benchmarks.md by hand.

import { createRequire } from "node:module";
import { loadavg } from "node:os";
import { openTask, signedIn, startBrowser, startServer, until } from "./harness.mjs";

// Stock clients as the other typers: five more browsers would measure the machine, not the page.
const stock = createRequire(new URL("../clients/package.json", import.meta.url));
const { HocuspocusProvider, HocuspocusProviderWebsocket } = stock("@hocuspocus/provider");
const { WebSocket } = stock("ws");

const LINES = 5_000;
const KEYS = 200;
/** Keys before those that are measured: code is compiled and fonts are loaded at the first ones. */
const WARM_UP = 30;
/** Each measurement is made this often; the one in the middle is told. */
const ROUNDS = 3;
const TYPERS = 5;
/** A quick typist: milliseconds between keys. */
const KEY_EVERY_MS = 120;
const LOG_LINES = 100_000;

/** Types and gives how long each key took until the frame with it was painted, ordered. */
async function typed(page, keys) {
  await page.evaluate(() => {
    globalThis.latencies = [];
    if (globalThis.measures) return;
    globalThis.measures = true;
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
  for (let key = 0; key < keys; key++) {
    await page.keyboard.press(key % 40 === 39 ? "Enter" : "a");
    await new Promise((resolve) => setTimeout(resolve, 40));
  }
  await until(async () => (await page.evaluate(() => globalThis.latencies.length)) === keys, "a frame for every key");
  return (await page.evaluate(() => globalThis.latencies)).sort((left, right) => left - right);
}

const at = (ordered, share) => ordered[Math.floor(ordered.length * share)];

/** The round in the middle by what `by` gives, and that of all rounds: how far they can be trusted. */
async function middle(measure, by) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await measure());
  rounds.sort((left, right) => by(left) - by(right));
  return { round: rounds[Math.floor(ROUNDS / 2)], all: rounds.map((each) => by(each).toFixed(1)).join(", ") };
}

async function keysToPaint(page) {
  await typed(page, WARM_UP);
  const { round, all } = await middle(() => typed(page, KEYS), (latencies) => at(latencies, 0.95));
  return `p50 ${at(round, 0.5).toFixed(1)} ms, p95 ${at(round, 0.95).toFixed(1)} ms, p99 ${at(round, 0.99).toFixed(1)} ms (${KEYS} keys; p95 of ${ROUNDS} rounds: ${all})`;
}

/** Runs the program that writes the log, and gives frames a second and the gaps between frames while it came. */
async function burst(page, number) {
  await page.evaluate(() => {
    globalThis.frames = [];
    if (globalThis.ticks) return;
    globalThis.ticks = true;
    const tick = (now) => {
      globalThis.frames.push(now);
      requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  const began = await page.evaluate(() => performance.now());
  await page.keyboard.press("Control+Enter");
  await page.getByRole("button", { name: `#${number} · ` }).waitFor();
  // Looked for in the page itself: every question from outside costs it a little.
  await page.waitForFunction((lines) => document.querySelector(".run-state.state-3") && document.querySelector(".log")?.dataset.lines === lines, String(LOG_LINES), { polling: 100, timeout: 60_000 });
  const { frames, ended } = await page.evaluate(() => ({ frames: globalThis.frames, ended: performance.now() }));
  const during = frames.filter((time) => time >= began && time <= ended);
  const gaps = during.slice(1).map((time, index) => time - during[index]).sort((left, right) => left - right);
  return { rate: (during.length / (ended - began)) * 1000, seconds: (ended - began) / 1000, gaps };
}

console.log(`load of the machine before: ${loadavg()[0].toFixed(1)}`);
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
  await page.locator(".cm-content").filter({ hasText: "sys.stdout.write" }).waitFor();
  let runs = 0;
  const { round, all } = await middle(() => burst(page, ++runs), ({ rate }) => rate);
  console.log(`burst of ${LOG_LINES} log lines in ${round.seconds.toFixed(1)} s: ${round.rate.toFixed(0)} frames a second, longest gap ${round.gaps.at(-1).toFixed(0)} ms, p99 gap ${at(round.gaps, 0.99).toFixed(0)} ms (frames a second of ${ROUNDS} rounds: ${all})`);
} finally {
  await browser.close();
  await server.stop();
}
if (errors.length > 0) throw new Error(errors.join("; "));
process.exit(0);
