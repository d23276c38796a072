// Two states of the task's files side by side: a run and now, or two runs.

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../app/icons";
import { useModal } from "../app/modal";
import { toastError, Toasts } from "../app/toasts";
import { useTask } from "../editor/task-context";
import type { Run } from "../messages.generated";
import { shownName } from "../texts/shown-name";
import { bytes, t, when } from "../texts/texts";
import { compare, comparison, NOW, type Comparison } from "./compare-state";
import { differences, type Difference } from "./differences";
import { DiffView } from "./diff-view";
import { filesOfSide } from "./sides";
import "./compare.css";

const MARKS = { added: "+", removed: "−", changed: "~", same: "" } as const;

export function Compare({ left, right }: Comparison) {
  const { room } = useTask();
  const element = useRef<HTMLDialogElement>(null);
  const found = useSignal<readonly Difference[] | null>(null);
  const chosen = useSignal<string | null>(null);
  const showsAll = useSignal(false);
  useModal(element);
  useEffect(() => {
    let isLeft = false;
    found.value = null;
    Promise.all([filesOfSide(room, left), filesOfSide(room, right)]).then(([before, after]) => {
      if (isLeft) return;
      found.value = differences(before, after);
      const isThere = found.value.some(({ path }) => path === chosen.peek());
      if (!isThere) chosen.value = (found.value.find(({ change }) => change !== "same") ?? found.value[0])?.path ?? null;
    }, toastError);
    return () => void (isLeft = true);
  }, [left, right]);
  const close = () => (comparison.value = null);
  const texts = t.value.compare;
  const differing = found.value?.filter(({ change }) => change !== "same") ?? [];
  const listed = showsAll.value ? (found.value ?? []) : differing;
  const shown = found.value?.find(({ path }) => path === chosen.value);
  return (
    <dialog class="compare" ref={element} aria-label={texts.title} onCancel={close}>
      <header>
        <h2>{texts.title}</h2>
        <Side label={texts.left} value={left} onChange={(next) => compare(next, right)} />
        <span aria-hidden="true">→</span>
        <Side label={texts.right} value={right} onChange={(next) => compare(left, next)} />
        <span class="space" />
        <button class="plain icon-only" aria-label={t.value.common.close} title={t.value.common.close} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <nav aria-label={texts.files}>
        <p class="quiet" role="status">
          {found.value ? texts.count(differing.length) : t.value.common.loading}
        </p>
        <ul>
          {listed.map(({ path, change }) => (
            <li key={path}>
              <button class={`plain ${path === chosen.value ? "chosen" : ""}`} aria-current={path === chosen.value} onClick={() => (chosen.value = path)}>
                <span class={`mark ${change}`} title={texts.changes[change]}>
                  <span aria-hidden="true">{MARKS[change]}</span>
                  <span class="hidden-text">{texts.changes[change]}</span>
                </span>
                {shownName(path)}
              </button>
            </li>
          ))}
        </ul>
        <label class="check">
          <input type="checkbox" checked={showsAll.value} onChange={(event) => (showsAll.value = event.currentTarget.checked)} />
          {texts.all}
        </label>
      </nav>
      <section>{shown ? <DiffView key={`${left} ${right} ${shown.path}`} room={room} left={left} right={right} file={shown} sizes={sizesOf(shown)} /> : <p class="nothing quiet">{found.value ? texts.nothing : ""}</p>}</section>
      <Toasts place={element} />
    </dialog>
  );
}

const sizesOf = ({ left, right }: Difference) => `${left ? bytes(left.size) : "–"} → ${right ? bytes(right.size) : "–"}`;

function Side({ label, value, onChange }: { label: string; value: string; onChange(next: string): void }) {
  const { room } = useTask();
  const runs = room.runs.value;
  const name = (run: Run) => t.value.runs.line(run.number, run.user_name, when(run.submitted_at));
  const isListed = value === NOW || runs.some(({ id }) => id === value);
  return (
    <select aria-label={label} value={value} onChange={(event) => onChange(event.currentTarget.value)}>
      <option value={NOW}>{t.value.runs.now}</option>
      {!isListed && <option value={value}>{t.value.compare.olderRun}</option>}
      {runs.map((run) => (
        <option key={run.id} value={run.id}>
          {name(run)}
        </option>
      ))}
    </select>
  );
}
