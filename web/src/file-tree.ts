// The list of files: open, make, rename, delete, set main, upload, download.

import { el, toast } from "./dom";
import type { Node as TreeNode } from "./messages.generated";
import type { Request, Room } from "./room";

interface Options {
  room: Room;
  taskId: string;
  selected: string | undefined;
  mayEdit: boolean;
  open(id: string, path: string): void;
}

/** Path as a URL's path: each component percent-encoded. */
export function encodePath(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

export function fileTree(root: TreeNode, options: Options): HTMLElement {
  const { room, taskId } = options;
  const ask = (request: Request) => void room.request(request).catch((error: Error) => toast(error.message));

  const create = () => {
    const path = prompt("Path of the new file", "notes.py");
    if (!path) return;
    room.request({ type: "create_file", path }).then(
      (made) => options.open(made.file, made.path),
      (error: Error) => toast(error.message),
    );
  };

  const upload = el("input", { type: "file", multiple: true, hidden: true });
  upload.addEventListener("change", () => {
    for (const file of upload.files ?? []) {
      fetch(`/api/v1/tasks/${taskId}/files/${encodePath(file.name)}`, { method: "PUT", body: file }).then(
        async (response) => {
          if (!response.ok) toast(((await response.json()) as { detail: string }).detail);
        },
        (error: Error) => toast(error.message),
      );
    }
  });

  const actions = (node: TreeNode) => {
    if (!options.mayEdit) return null;
    const rename = () => {
      const to = prompt(`New path of ${node.path}`, node.path);
      if (to && to !== node.path) ask({ type: "move", from: node.path, to });
    };
    const remove = () => {
      if (confirm(`Delete ${node.path}?`)) ask({ type: "delete", path: node.path });
    };
    return el(
      "span",
      { class: "actions" },
      node.kind === "text" && !node.main && el("button", { class: "plain", title: "Make it the main file", "aria-label": `Make ${node.path} the main file`, onclick: () => ask({ type: "set_main", path: node.path }) }, "★"),
      el("button", { class: "plain", title: "Rename", "aria-label": `Rename ${node.path}`, onclick: rename }, "✎"),
      el("button", { class: "plain", title: "Delete", "aria-label": `Delete ${node.path}`, onclick: remove }, "✕"),
    );
  };

  const item = (node: TreeNode): HTMLElement => {
    const { id } = node;
    if (!id) {
      return el("li", {}, el("details", { open: true }, el("summary", {}, `${node.name}/`, actions(node)), el("ul", {}, ...(node.children ?? []).map(item))));
    }
    const label = node.main ? `${node.name} ★` : node.name;
    const name =
      node.kind === "text"
        ? el("button", { class: "name", "aria-current": options.selected === id ? "true" : undefined, onclick: () => options.open(id, node.path) }, label)
        : el("a", { class: "name", href: `/api/v1/tasks/${taskId}/files/${encodePath(node.path)}`, download: node.name }, label);
    return el("li", { class: options.selected === id ? "selected" : undefined }, name, actions(node));
  };

  return el(
    "div",
    {},
    el("ul", {}, ...(root.children ?? []).map(item)),
    el(
      "p",
      { class: "tools" },
      options.mayEdit && el("button", { onclick: create }, "New file"),
      options.mayEdit && el("button", { onclick: () => upload.click() }, "Upload"),
      el("a", { class: "button", href: `/api/v1/tasks/${taskId}/archive`, download: "" }, "Download"),
      upload,
    ),
  );
}
