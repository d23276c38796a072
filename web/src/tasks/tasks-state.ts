// The list of tasks as it is looked at: filter, pages, and reading it again while one looks.

import { effect, signal } from "@preact/signals";
import { listTasks } from "../api/tasks";
import { toastError } from "../app/toasts";
import type { Language, TaskLine } from "../messages.generated";

/** Waits this long after a key before it searches. */
const SEARCH_DELAY_MS = 150;
/** Who is where and what runs changes without us; the list is read again this often while the page is seen. */
const REFRESH_MS = 5_000;

interface Filter {
  search: string;
  language?: Language;
}

export class TasksState {
  readonly search = signal("");
  readonly language = signal<Language | "">("");
  /** `null` until the first answer. */
  readonly tasks = signal<readonly TaskLine[] | null>(null);
  readonly next = signal<string | null>(null);
  private asked = 0;
  private isReadingMore = false;
  /** The filter of what is shown: further pages belong to it, whatever was typed meanwhile. */
  private shown: Filter = { search: "" };

  /** Begins to read; returns the end of it. */
  begin(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isFirst = true;
    const leave = effect(() => {
      // Read here, so that a change begins a search.
      void [this.search.value, this.language.value];
      clearTimeout(timer);
      timer = setTimeout(() => void this.read(), isFirst ? 0 : SEARCH_DELAY_MS);
      isFirst = false;
    });
    const refresh = setInterval(() => {
      // Further pages that were asked for stay as they are.
      if (document.visibilityState === "visible" && !this.isReadingMore && (this.tasks.peek()?.length ?? 0) <= 50) void this.read(true);
    }, REFRESH_MS);
    return () => {
      leave();
      clearTimeout(timer);
      clearInterval(refresh);
    };
  }

  /** Reads the first page. A quiet read says nothing when it fails: the next one follows soon. */
  async read(isQuiet = false): Promise<void> {
    const mine = ++this.asked;
    const filter = this.filter();
    try {
      const page = await listTasks(filter);
      // A slower answer to an older question is not shown.
      if (mine !== this.asked) return;
      this.shown = filter;
      this.tasks.value = page.tasks;
      this.next.value = page.next;
    } catch (error) {
      if (!isQuiet) toastError(error);
    }
  }

  /** Reads the next page of what is shown. */
  async readMore(): Promise<void> {
    const cursor = this.next.peek();
    if (!cursor || this.isReadingMore) return;
    const mine = ++this.asked;
    this.isReadingMore = true;
    try {
      const page = await listTasks({ ...this.shown, cursor });
      // Somebody searches for something else by now.
      if (mine !== this.asked) return;
      const known = new Set(this.tasks.peek()?.map(({ id }) => id));
      this.tasks.value = [...(this.tasks.peek() ?? []), ...page.tasks.filter(({ id }) => !known.has(id))];
      this.next.value = page.next;
    } catch (error) {
      toastError(error);
    } finally {
      this.isReadingMore = false;
    }
  }

  private filter(): Filter {
    const language = this.language.peek();
    return { search: this.search.peek(), ...(language ? { language } : {}) };
  }
}
