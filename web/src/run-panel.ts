// Runs of the task and the log of the one that is selected.

import { el, show, toast } from "./dom";
import { LogCursor, LogView, type Piece } from "./log-view";
import type { Run } from "./messages.generated";
import type { Room } from "./room";
import { describe, isFinal } from "./runs";

/** Runs kept in the list; older ones are in the HTTP interface. */
const MAX_RUNS = 50;

export class RunPanel {
  readonly element: HTMLElement;
  private readonly list = el("select", { "aria-label": "Runs" });
  private readonly status = el("span", { role: "status" });
  private readonly stopButton = el("button", { onclick: () => this.stop() }, "Stop");
  private readonly rerunButton = el("button", { onclick: () => this.rerun() }, "Run again");
  private readonly download = el("a", { class: "button", download: "" }, "Log");
  private readonly view = new LogView();
  private runs: Run[] = [];
  private selected: Run | undefined;
  private cursor = new LogCursor();
  private mayEdit = false;

  constructor(private readonly room: Room) {
    this.list.addEventListener("change", () => {
      const run = this.runs.find((candidate) => candidate.id === this.list.value);
      if (run) this.select(run);
    });
    const tools = el("div", { class: "run-tools" }, this.list, this.status, this.stopButton, this.rerunButton, this.download);
    this.element = el("section", { class: "runs", "aria-label": "Runs" }, tools, this.view.element);
    this.draw();
  }

  setMayEdit(mayEdit: boolean): void {
    this.mayEdit = mayEdit;
    this.draw();
  }

  /** The runs after a (re)connect: goes on with the selected log where it stopped. */
  reset(runs: Run[]): void {
    this.runs = runs;
    const again = runs.find((run) => run.id === this.selected?.id) ?? this.selected;
    if (again) {
      this.selected = again;
      this.follow();
    } else if (runs[0]) this.select(runs[0]);
    this.draw();
  }

  update(run: Run): void {
    const at = this.runs.findIndex((candidate) => candidate.id === run.id);
    if (at >= 0) this.runs[at] = run;
    else this.runs = [run, ...this.runs].slice(0, MAX_RUNS);
    if (this.selected?.id === run.id) this.selected = run;
    // A new run of anybody in the room is what everybody wants to see, unless they read another that still runs.
    else if (at < 0 && (!this.selected || isFinal(this.selected))) this.select(run);
    this.draw();
  }

  select(run: Run): void {
    if (this.selected?.id === run.id) return;
    if (this.selected) void this.room.request({ type: "unfollow", run: this.selected.id }).catch(() => undefined);
    this.selected = run;
    this.cursor = new LogCursor();
    this.view.clear();
    this.follow();
    if (!this.runs.some((candidate) => candidate.id === run.id)) this.runs = [run, ...this.runs];
    this.draw();
  }

  log(piece: Piece & { run: string }): void {
    if (piece.run === this.selected?.id && this.cursor.accept(piece)) this.view.append(piece);
  }

  logEnd(run: string): void {
    if (run === this.selected?.id) this.draw();
  }

  private follow(): void {
    if (!this.selected) return;
    this.room
      .request({ type: "follow", run: this.selected.id, offset: this.cursor.next })
      .catch((error: Error) => toast(error.message));
  }

  private stop(): void {
    if (!this.selected) return;
    this.room.request({ type: "stop", run: this.selected.id }).catch((error: Error) => toast(error.message));
  }

  private rerun(): void {
    if (!this.selected) return;
    this.room.request({ type: "rerun", run: this.selected.id }).then(
      ({ run }) => this.select(run),
      (error: Error) => toast(error.message),
    );
  }

  private draw(): void {
    const run = this.selected;
    show(
      this.list,
      ...this.runs.map((each) =>
        el("option", { value: each.id, selected: each.id === run?.id }, `#${each.number} · ${each.user_name} · ${new Date(each.submitted_at).toLocaleTimeString()}`),
      ),
    );
    this.list.hidden = this.runs.length === 0;
    show(this.status, run ? describe(run) : "No runs yet. Press Run or Ctrl+Enter.");
    this.status.className = run ? `state-${run.state}` : "quiet";
    this.stopButton.hidden = !run || isFinal(run) || !this.mayEdit;
    this.rerunButton.hidden = !run || !isFinal(run) || !this.mayEdit;
    this.download.hidden = !run;
    if (run) this.download.href = `/api/v1/runs/${run.id}/log`;
  }
}
