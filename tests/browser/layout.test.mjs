// Nothing in the page moves by itself: not while it loads over a slow line, not while others come, run and go.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openTask, signedIn, startBrowser, startServer, until } from "./harness.mjs";

/** Most that all unexpected shifts of one step may come to, as browsers count them: part of the window times part of the way. */
const MAX_SHIFT = 0.02;
/** Most pixels that one element may move. */
const MAX_MOVE_PX = 4;
/** After this time without a change the page has settled. */
const SETTLED_MS = 300;
/** Each answer comes this much after the one before it, so that each is painted by itself. */
const BETWEEN_ANSWERS_MS = 40;

const SCREENS = {
  desktop: { viewport: { width: 1280, height: 800 } },
  "desktop, dark, Chinese": { viewport: { width: 1280, height: 800 }, colorScheme: "dark", locale: "zh-CN" },
  "1024x700": { viewport: { width: 1024, height: 700 } },
  tablet: { viewport: { width: 820, height: 1180 }, hasTouch: true, isMobile: true },
};

/** What is longer than the pane, with more lines than its gutter had digits for. */
const PROGRAM = `import sys, time
for line in range(60):
    print("line", line, flush=True)
    time.sleep(0.01)
print("to stderr", file=sys.stderr)
sys.exit("--fail" in sys.argv)
`;

let server;
let browser;
const people = {};
const errors = [];

before(async () => {
  server = await startServer();
  // Scroll bars as people have them.
  browser = await startBrowser({ ignoreDefaultArgs: ["--hide-scrollbars"] });
  for (const name of ["Ana Bauer", "bo", "王小明"]) people[name] = await server.person(name);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** Runs in the page before anything else: notes what moves. */
function watch() {
  const nameOf = (node) => {
    const element = node instanceof Element ? node : node?.parentElement;
    if (!element) return "something that is gone";
    return `${element.tagName.toLowerCase()}${[...element.classList].map((each) => `.${each}`).join("")} “${element.textContent.trim().slice(0, 30)}”`;
  };
  // What people write and programs print goes where its own lines put it. The box around the messages grows upwards, and they stay.
  const isLoose = (node) => (node instanceof Element && node.matches(".toasts")) || node?.parentElement?.closest(".cm-content, .log-lines") != null;
  let shifts = [];
  let changedAt = performance.now();
  const take = (list) => {
    // Also those that a browser would forgive as the answer to a key or a resized window: nothing of that is done here.
    for (const { value, sources } of list) {
      const moves = [...sources].filter(({ node }) => !isLoose(node)).map(({ node, previousRect: from, currentRect: to }) => ({ what: nameOf(node), x: to.x - from.x, y: to.y - from.y, from: `${from.x},${from.y} ${from.width}x${from.height}` }));
      if (moves.length > 0) shifts.push({ value, moves });
    }
  };
  const observer = new PerformanceObserver((list) => take(list.getEntries()));
  observer.observe({ type: "layout-shift", buffered: true });
  new MutationObserver(() => (changedAt = performance.now())).observe(document, { subtree: true, childList: true, characterData: true, attributes: true });
  window.quietFor = () => performance.now() - changedAt;
  window.takeShifts = () => {
    take(observer.takeRecords());
    return shifts.splice(0);
  };
}

/** A page that is watched, on a line where nothing comes together with anything else. */
async function watched(name, screen) {
  const page = await signedIn(browser, server, people[name], errors, { ...screen, locale: "en" });
  if (screen.locale?.startsWith("zh")) await page.evaluate(() => localStorage.setItem("coderoom.language", "zh"));
  await page.addInitScript(watch);
  const spaced = () => {
    let free = 0;
    return (act) => {
      free = Math.max(free, Date.now()) + BETWEEN_ANSWERS_MS;
      setTimeout(act, free - Date.now());
    };
  };
  const answers = spaced();
  await page.route("**/api/v1/**", (route) => answers(() => void route.continue().catch(() => undefined)));
  await page.routeWebSocket(/\/ws\//, (socket) => {
    const there = socket.connectToServer();
    const messages = spaced();
    there.onMessage((message) => messages(() => socket.send(message)));
  });
  return page;
}

/** Presses without moving the pointer, which would show what is under it. */
const press = (locator) => locator.evaluate((button) => button.click());

test("what does move is seen", async () => {
  const page = await watched("bo", SCREENS.desktop);
  await page.goto(`${server.url}/sign-in`);
  await page.locator("form").waitFor();
  await page.locator("form h1").evaluate((heading) => (heading.style.marginTop = "80px"));
  const moves = await until(async () => (await page.evaluate(() => window.takeShifts())).flatMap(({ moves }) => moves).filter(({ y }) => y === 80), "what was pushed down");
  assert.ok(moves.length > 0);
  await page.context().close();
});

for (const [screenName, screen] of Object.entries(SCREENS)) {
  test(`nothing moves by itself: ${screenName}`, async () => {
    const task = await server.task("Temperatures of two cities in the first week of the year", "python", { "Ana Bauer": "owner", bo: "editor", 王小明: "editor" });
    await server.call("PUT", `/tasks/${task}/files/run.py`, PROGRAM);
    await server.call("PUT", `/tasks/${task}/files/notes.md`, "# Notes\n\n- one\n- *two*\n");
    const submit = async (command) => (await server.call("POST", `/tasks/${task}/runs`, { command })).run;
    const { id } = await submit("python3 run.py");
    await until(async () => (await server.call("GET", `/runs/${id}`)).state >= 3, "the end of the run");
    const { url: invitation } = await server.call("POST", `/tasks/${task}/links`, { role: "viewer", note: "" });

    const page = await watched("Ana Bauer", screen);
    const tooMuch = [];
    /** Takes what has moved since the last time, when nothing changes any more. */
    const look = async (name) => {
      await until(() => page.evaluate((least) => window.quietFor() > least, SETTLED_MS), `rest after: ${name}`);
      const shifts = await page.evaluate(() => window.takeShifts());
      const total = shifts.reduce((sum, { value }) => sum + value, 0);
      const moves = shifts.flatMap(({ moves }) => moves).filter(({ x, y }) => Math.hypot(x, y) > MAX_MOVE_PX);
      const said = `${screenName}, ${name}: ${total.toFixed(4)}${shifts.flatMap(({ moves }) => moves).map(({ what, x, y, from }) => `\n    ${what} by ${Math.round(x)}, ${Math.round(y)} from ${from}`).join("")}`;
      console.log(`# ${said}`);
      if (total > MAX_SHIFT || moves.length > 0) tooMuch.push(said);
    };
    const rows = page.locator(".task-rows li");
    const cold = async (address, there, name) => {
      await page.goto(server.url + address);
      await there.first().waitFor();
      await look(name);
    };
    const logHas = (text) => page.locator(".log").filter({ hasText: text }).waitFor();
    const leave = (other) => other.context().close();

    await cold("/sign-in", page.locator("form"), "sign-in");
    await cold("/tasks", rows, "tasks");
    await cold("/account", page.locator(".token-list li"), "account");
    await cold(new URL(invitation).pathname + new URL(invitation).hash, page.locator("h1"), "join");
    await page.goto(`${server.url}/tasks/${task}`);
    await logHas("to stderr");
    await look("task, the first time");
    await press(page.locator(".row", { hasText: "notes.md" }));
    await page.locator(".tab").nth(1).waitFor();
    await look("another file");
    await page.reload();
    await logHas("to stderr");
    await page.locator(".cm-line").first().waitFor();
    await look("task with two tabs");

    const others = [];
    for (const name of ["bo", "王小明"]) {
      const other = await signedIn(browser, server, people[name], errors);
      await openTask(other, server, task);
      others.push(other);
      await page.locator(".people-here li").nth(others.length - 1).waitFor();
      await look(`${name} comes`);
    }
    const signOf = (name) => page.getByRole("button", { name: `${screen.locale ? "跟随" : "Follow"} ${name}` });
    // First who came first: the other one's sign stays where it is, and so it does when he comes back.
    await leave(others[0]);
    await signOf("bo").waitFor({ state: "hidden" });
    await look("bo goes");
    const again = await signedIn(browser, server, people.bo, errors);
    await openTask(again, server, task);
    await signOf("bo").waitFor();
    await look("bo comes back");
    for (const [other, name] of [[others[1], "王小明"], [again, "bo"]]) {
      await leave(other);
      await signOf(name).waitFor({ state: "hidden" });
      await look(`${name} goes`);
    }

    await server.call("PUT", `/tasks/${task}/files/notes.md`, "- one more line\n".repeat(120));
    await page.locator(".cm-content").filter({ hasText: "one more" }).waitFor();
    await look("a hundred lines by others");
    for (const [command, number, state] of [["python3 run.py", 2, 3], ["python3 run.py --fail", 3, 4]]) {
      await submit(command);
      await page.locator(".run-name").filter({ hasText: `#${number}` }).waitFor();
      await page.locator(`.run-state.state-${state}`).waitFor();
      await logHas("to stderr");
      await look(state === 3 ? "a run" : "a run that fails");
    }

    await press(page.locator(".log-find-button"));
    await page.locator(".log-find input").waitFor();
    await look("search in the log");
    await page.keyboard.press("Escape");
    await page.locator(".log-find").waitFor({ state: "hidden" });
    await look("search in the log closed");
    await page.locator(".cm-content").focus();
    await page.keyboard.press("Control+f");
    await page.locator(".cm-search").waitFor();
    await look("search in the file");
    await page.keyboard.press("Escape");
    await page.locator(".cm-search").waitFor({ state: "hidden" });
    await look("search in the file closed");

    // Also among the messages, of which each has its own time. The files stand below all others, and the last one goes first.
    const last = ["z1.txt", "z2.txt"];
    for (const name of last) {
      await server.call("PUT", `/tasks/${task}/files/${name}`, "x");
      await page.locator(".row", { hasText: name }).waitFor();
    }
    for (const name of last.toReversed()) {
      await server.call("DELETE", `/tasks/${task}/files/${name}`);
      await page.locator(".toast:not(.gone)").filter({ hasText: name }).waitFor();
      await look(`message about ${name}`);
    }
    const first = page.locator(".toast").filter({ hasText: "z2.txt" });
    await press(first.locator("button"));
    await first.waitFor({ state: "hidden" });
    await look("the first message goes");

    for (const role of ["viewer", "owner"]) {
      await server.call("PUT", `/tasks/${task}/members/${encodeURIComponent("Ana Bauer")}`, { role });
      await page.locator(role === "viewer" ? ".stored[data-state=read-only]" : ".stored[data-state=saved]").waitFor();
      await look(`role: ${role}`);
    }

    await press(page.locator("header .button ~ button:has(+ .primary)"));
    await page.locator("dialog .members li").nth(2).waitFor();
    await look("share");
    await press(page.locator("dialog .actions button"));
    await press(page.locator(".run-name"));
    await page.locator(".run-list li").nth(2).waitFor();
    await look("history");
    await press(page.locator("dialog .actions button"));
    await press(page.locator(".compare-now"));
    await page.locator("dialog.compare p[role=status]").waitFor();
    await look("compare");
    await press(page.locator("dialog.compare header button"));

    await server.kill();
    await page.locator(".stored[data-state=offline]").waitFor();
    await look("connection lost");
    await server.start();
    await page.locator(".stored[data-state=saved]").waitFor();
    await look("connection back");

    await server.call("DELETE", `/tasks/${task}`);
    await page.locator(".task-page > .ended").waitFor();
    await look("the task deleted");

    await page.context().close();
    assert.ok(tooMuch.length === 0, `too much moved:\n${tooMuch.join("\n")}`);
  });
}

test("no page had an error", () => assert.deepEqual(errors, []));
