// Which tabs are open and which is shown. A tab is a file, or a view of its own (a comparison, a past run's files).

import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { ComponentChildren } from "preact";

export interface FileTab {
  kind: "file";
  /** The file's id: a rename keeps the tab. */
  key: string;
}

export interface ViewTab {
  kind: "view";
  /** Opening the same key again shows the tab that is there. */
  key: string;
  /** Asked at each drawing, so that it follows the language. */
  title(): string;
  render(): ComponentChildren;
}

export type Tab = FileTab | ViewTab;

export class Tabs {
  readonly open: ReadonlySignal<readonly Tab[]>;
  readonly shown: ReadonlySignal<Tab | null>;
  private readonly list = signal<readonly Tab[]>([]);
  private readonly current = signal<string | null>(null);
  /** Keys in the order in which they were last shown, so that closing goes back. */
  private order: string[] = [];

  /** `memory` is the name under which the open files are kept for the next visit. */
  constructor(private readonly memory: string) {
    this.open = this.list;
    this.shown = computed(() => this.list.value.find((tab) => tab.key === this.current.value) ?? null);
  }

  /** The files that were open at the last visit, and the one that was shown. */
  remembered(): { files: string[]; shown: string | null } {
    try {
      return { files: [], shown: null, ...(JSON.parse(localStorage.getItem(this.memory) ?? "{}") as object) };
    } catch {
      return { files: [], shown: null };
    }
  }

  openFile(id: string): void {
    this.openTab({ kind: "file", key: id });
  }

  openView(view: Omit<ViewTab, "kind">): void {
    this.openTab({ kind: "view", ...view });
  }

  show(key: string): void {
    this.current.value = key;
    this.order = [...this.order.filter((other) => other !== key), key];
    this.remember();
  }

  /** Shows the tab `step` places to the right, around the end. */
  turn(step: number): void {
    const tabs = this.list.peek();
    const at = tabs.findIndex((tab) => tab.key === this.current.peek());
    const next = tabs[(at + step + tabs.length) % tabs.length];
    if (next) this.show(next.key);
  }

  close(key: string): void {
    this.list.value = this.list.peek().filter((tab) => tab.key !== key);
    this.order = this.order.filter((other) => other !== key);
    if (this.current.peek() === key) this.current.value = this.order.at(-1) ?? this.list.peek().at(-1)?.key ?? null;
    this.remember();
  }

  private openTab(tab: Tab): void {
    if (!this.list.peek().some((other) => other.key === tab.key)) this.list.value = [...this.list.peek(), tab];
    this.show(tab.key);
  }

  private remember(): void {
    const files = this.list.peek().flatMap((tab) => (tab.kind === "file" ? [tab.key] : []));
    localStorage.setItem(this.memory, JSON.stringify({ files, shown: this.current.peek() }));
  }
}
