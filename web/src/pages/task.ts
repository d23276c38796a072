// One task: files on the left, the shared editor in the middle, runs and the log below.

import { toast, el, show } from "../dom";
import { colourOf, showEditor } from "../editor";
import { fileTree } from "../file-tree";
import type { Node as TreeNode, Role, UserSummary, Welcome } from "../messages.generated";
import { Room, type OpenDocument } from "../room";
import { RunPanel } from "../run-panel";

export async function taskPage(taskId: string, me: UserSummary, go: (path: string) => void) {
  const room = new Room(taskId);
  const title = el("h1", {}, "…");
  const people = el("span", { class: "people", "aria-label": "Who is here" });
  const saved = el("span", { class: "quiet", role: "status" }, "connecting…");
  const editor = el("section", { class: "editor", "aria-label": "Editor" });
  const files = el("nav", { class: "files", "aria-label": "Files" });
  const panel = new RunPanel(room);
  const runButton = el("button", { class: "primary", title: "Ctrl+Enter", onclick: () => void submit() }, "Run");

  let role: Role = "viewer";
  let welcome: Welcome | undefined;
  let tree: TreeNode | undefined;
  let shown: { id: string; path: string; open: OpenDocument; takeDown: () => void } | undefined;
  let online = false;
  let trouble = "";

  const mayEdit = () => role !== "viewer";

  const refreshSaved = () => {
    const waiting = shown?.open.provider.unsyncedChanges ?? 0;
    if (!online) show(saved, waiting > 0 ? "offline, edits wait here" : "offline");
    else if (trouble) show(saved, trouble);
    else if (!shown) show(saved, "");
    else if (!mayEdit()) show(saved, "read-only");
    else show(saved, waiting > 0 ? "saving…" : "saved");
  };

  const refreshPeople = () => {
    const names = new Map<string, string>();
    room.awareness?.getStates().forEach((state) => {
      const user = state["user"] as { name?: string } | undefined;
      if (user?.name) names.set(user.name, user.name);
    });
    show(
      people,
      ...[...names.keys()].sort().map((name) => {
        const dot = el("span", { class: "person", title: name }, name.slice(0, 2).toUpperCase());
        dot.style.backgroundColor = colourOf(name);
        return dot;
      }),
    );
  };

  const openFile = (id: string, path: string) => {
    if (shown?.id === id) return;
    closeFile();
    const open = room.open(id);
    open.provider.on("unsyncedChanges", refreshSaved);
    open.provider.on("synced", () => {
      if (shown?.id !== id) return;
      editor.replaceChildren();
      shown.takeDown = showEditor(editor, open, path, me.name, !mayEdit());
      refreshSaved();
    });
    shown = { id, path, open, takeDown: () => undefined };
    show(editor, el("p", { class: "quiet" }, "loading…"));
    room.awareness?.setLocalStateField("file", path);
    drawFiles();
    refreshSaved();
  };

  const closeFile = () => {
    shown?.takeDown();
    shown?.open.close();
    shown = undefined;
    editor.replaceChildren();
  };

  const drawFiles = () => {
    if (tree) show(files, fileTree(tree, { room, taskId, selected: shown?.id, mayEdit: mayEdit(), open: openFile }));
  };

  const loadTree = async () => {
    tree = await room.request({ type: "tree" });
    drawFiles();
  };

  const firstFile = (node: TreeNode): TreeNode | undefined => {
    const all: TreeNode[] = [];
    const walk = (at: TreeNode) => (at.children ? at.children.forEach(walk) : all.push(at));
    walk(node);
    return all.find((file) => file.main) ?? all.find((file) => file.kind === "text");
  };

  const submit = async () => {
    runButton.disabled = true;
    try {
      const { run } = await room.request({ type: "submit" });
      panel.select(run);
    } catch (error) {
      toast((error as Error).message);
    } finally {
      runButton.disabled = !mayEdit();
    }
  };

  const setRole = (next: Role) => {
    const before = role;
    role = next;
    runButton.disabled = !mayEdit();
    panel.setMayEdit(mayEdit());
    drawFiles();
    if (shown && before !== next) {
      const { id, path } = shown;
      closeFile();
      openFile(id, path);
    }
  };

  const leaveStatus = room.onStatus((now) => {
    online = now;
    refreshSaved();
  });
  const leaveEvents = room.onEvent((event) => {
    switch (event.type) {
      case "welcome": {
        const first = !welcome;
        welcome = event;
        tree = event.tree;
        show(title, event.task.name);
        document.title = `${event.task.name} · coderoom`;
        room.awareness?.setLocalStateField("user", { name: me.name });
        setRole(event.role);
        panel.reset(event.runs);
        const main = firstFile(event.tree);
        if (first && main?.id) openFile(main.id, main.path);
        drawFiles();
        break;
      }
      case "tree":
        for (const change of event.changes) {
          if (change.op === "deleted" && change.file === shown?.id) {
            toast(`${event.by} deleted ${change.path}.`);
            closeFile();
          }
        }
        void loadTree();
        break;
      case "run":
        panel.update(event.run);
        break;
      case "log":
        panel.log(event);
        break;
      case "log_end":
        panel.logEnd(event.run);
        break;
      case "notice":
        trouble = event.code === "not_stored" || event.code === "read_only" ? event.message : "";
        if (event.code !== "stored") toast(event.message);
        refreshSaved();
        break;
      case "role":
        setRole(event.role);
        break;
      case "task_deleted":
        toast("This task was deleted.");
        go("/");
        break;
      default: {
        const unknown: never = event;
        console.warn("unknown event", unknown);
      }
    }
  });
  room.awareness?.on("change", refreshPeople);

  const onKey = (event: KeyboardEvent) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && mayEdit()) {
      event.preventDefault();
      void submit();
    }
  };
  addEventListener("keydown", onKey, { capture: true });

  const back = (event: MouseEvent) => {
    event.preventDefault();
    go("/");
  };
  const element = el(
    "main",
    { class: "task" },
    el("header", {}, el("a", { href: "/", onclick: back }, "Tasks"), title, saved, people, runButton),
    files,
    editor,
    panel.element,
  );
  return {
    element,
    leave: () => {
      removeEventListener("keydown", onKey, { capture: true });
      leaveEvents();
      leaveStatus();
      closeFile();
      room.close();
      document.title = "coderoom";
    },
  };
}
