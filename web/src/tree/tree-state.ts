// What the tree of one page is doing: open folders, the row with the focus, the name that is being typed; and what the
// rows can be told to do. Changes go to the server and come back as events like everybody else's.

import { computed, signal } from "@preact/signals";
import { toast, toastError } from "../app/toasts";
import type { Node, TreeChanged } from "../messages.generated";
import type { TaskContext } from "../editor/task-context";
import { t } from "../texts/texts";
import { join, lastOf, parentOf, withFolders } from "./apply-changes";
import { mayMove, rowAfterDeleting, visibleRows } from "./rows";

/** Tasks with more files begin with their folders closed. */
const OPEN_AT_FIRST = 60;

/** A name that is being typed: of something that is there, or of a new file or folder in a folder. */
export type Naming = { kind: "rename"; path: string } | { kind: "file" | "folder"; folder: string };

export class TreeState {
  readonly root = computed(() => {
    const tree = this.task.room.tree.value;
    return tree && withFolders(tree, this.newFolders.value);
  });
  readonly rows = computed(() => (this.root.value ? visibleRows(this.root.value, (path) => this.isOpen(path)) : []));
  /** Path of the row with the focus. */
  readonly focused = signal<string | null>(null);
  /** Path of the row that takes the focus as soon as it is there, unless people have gone elsewhere. */
  readonly wanted = signal<string | null>(null);
  readonly naming = signal<Naming | null>(null);
  /** Path of what was cut and waits to be put somewhere. */
  readonly cut = signal<string | null>(null);
  /** What is to be deleted or moved, while its dialog is open. */
  readonly deleting = signal<Node | null>(null);
  readonly moving = signal<Node | null>(null);
  /** Folders that were turned from how they are at first. */
  private readonly turned = signal<ReadonlySet<string>>(new Set());
  /** Folders that were made here and have no file yet: the server knows folders only by their files. */
  private readonly newFolders = signal<readonly string[]>([]);

  constructor(readonly task: TaskContext) {}

  isOpen(path: string): boolean {
    const atFirst = this.task.room.files.value.size <= OPEN_AT_FIRST;
    return this.turned.value.has(path) !== atFirst;
  }

  setOpen(path: string, open: boolean): void {
    if (this.isOpen(path) === open) return;
    const turned = new Set(this.turned.peek());
    if (!turned.delete(path)) turned.add(path);
    this.turned.value = turned;
  }

  /** Opens a file in a tab, turns a folder. */
  activate(node: Node): void {
    if (node.id) this.task.tabs.openFile(node.id);
    else this.setOpen(node.path, !this.isOpen(node.path));
  }

  /** The folder that belongs to a path: itself, or the one it is in. */
  folderOf(path: string | null): string {
    const row = this.rows.peek().find(({ node }) => node.path === path);
    return row ? (row.node.children ? row.node.path : parentOf(row.node.path)) : "";
  }

  beginNew(kind: "file" | "folder", folder: string): void {
    if (folder) this.setOpen(folder, true);
    this.naming.value = { kind, folder };
  }

  /** Ends the typing of a name with what was typed; empty gives it up. */
  finishNaming(typed: string): void {
    const naming = this.naming.peek();
    this.naming.value = null;
    const name = typed.trim().replace(/^\/+|\/+$/g, "");
    if (!naming || !name) return;
    if (name.includes("\\")) return toast(t.peek().errors.badName);
    if (naming.kind === "rename") {
      const to = join(parentOf(naming.path), name);
      if (to !== naming.path) this.moveTo(naming.path, to);
    } else if (naming.kind === "folder") {
      const path = join(naming.folder, name);
      this.newFolders.value = [...this.newFolders.peek(), path];
      this.focused.value = path;
      this.beginNew("file", path);
    } else void this.create(join(naming.folder, name));
  }

  private async create(path: string): Promise<void> {
    try {
      const made = await this.task.room.request({ type: "create_file", path });
      this.focused.value = this.wanted.value = made.path;
      this.task.tabs.openFile(made.file);
    } catch (error) {
      toastError(error);
    }
  }

  private moveTo(from: string, to: string): void {
    this.focused.value = this.wanted.value = to;
    if (this.newFolders.peek().includes(from)) this.newFolders.value = this.newFolders.peek().map((path) => (path === from ? to : path));
    else this.task.room.request({ type: "move", from, to }).then(sayLarge, toastError);
  }

  /** Moves a file or folder into a folder; gives whether that can be. */
  moveInto(from: string, folder: string): boolean {
    this.cut.value = null;
    if (!mayMove(from, folder)) return false;
    if (folder) this.setOpen(folder, true);
    this.moveTo(from, join(folder, lastOf(from)));
    return true;
  }

  setMain(node: Node): void {
    this.task.room.request({ type: "set_main", path: node.path }).catch(toastError);
  }

  /** Deletes for everybody; `newMain` is needed when the main file is among it. */
  remove(node: Node, newMain?: string): void {
    const isOurs = node.children?.length === 0;
    this.focused.value = this.wanted.value = rowAfterDeleting(this.rows.peek(), node.path);
    this.newFolders.value = this.newFolders.peek().filter((path) => path !== node.path && !path.startsWith(`${node.path}/`));
    if (!isOurs) this.task.room.request({ type: "delete", path: node.path, ...(newMain ? { new_main: newMain } : {}) }).then(sayLarge, toastError);
  }
}

/** A reply that does not list all its changes was about more than can be seen: says how many there were. */
function sayLarge({ changes, omitted }: TreeChanged): void {
  if (omitted > 0) toast(t.peek().tree.manyChanges(changes.length + omitted));
}
