// Search in all texts of the task. The texts are those on the server, read when one begins to search.

import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { taskTexts } from "../api/tasks";
import { sentenceOf } from "../app/sentence-of";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { filesOf } from "../tree/apply-changes";
import { goTo } from "./go-to";
import { findInTexts, type Hit } from "./search-texts";
import { useTask } from "./task-context";

/** Waits this long after a key before it searches. */
const DELAY_MS = 200;
/** Most hits that are shown. */
const MAX_HITS = 500;

interface Found {
  hits: readonly Hit[];
  isCut: boolean;
  problem?: string;
}

export function SearchPane() {
  const { room, tabs } = useTask();
  const wanted = useSignal("");
  const matchCase = useSignal(false);
  const found = useSignal<Found | null>(null);
  const isBusy = useSignal(false);
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => input.current?.focus(), []);

  const [words, isExact] = [wanted.value, matchCase.value];
  useEffect(() => {
    if (!words) {
      found.value = null;
      isBusy.value = false;
      return undefined;
    }
    let isOld = false;
    const timer = setTimeout(() => {
      isBusy.value = true;
      taskTexts(room.id)
        .then(
          ({ tree }) => findInTexts(filesOf(tree), words, isExact, MAX_HITS),
          (error: unknown) => ({ hits: [], isCut: false, problem: sentenceOf(error) }),
        )
        .then((result) => {
          if (isOld) return;
          found.value = result;
          isBusy.value = false;
        });
    }, DELAY_MS);
    return () => {
      isOld = true;
      clearTimeout(timer);
    };
  }, [words, isExact]);

  const onKeyDown = (event: KeyboardEvent) => {
    const all = [...document.querySelectorAll<HTMLElement>(".search-pane input[type=search], .search-pane .hit")];
    const step = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const here = all.indexOf(document.activeElement as HTMLElement);
    if (step === 0 || here < 0) return;
    event.preventDefault();
    all[Math.max(0, Math.min(all.length - 1, here + step))]?.focus();
  };
  const texts = t.value.editor;
  const result = found.value;
  const groups = Map.groupBy(result?.hits ?? [], ({ path }) => path);
  const summary = !result ? "" : (result.problem ?? (result.hits.length === 0 ? texts.noMatches : texts.matches(result.hits.length, groups.size)));
  return (
    <div class="search-pane" role="search" aria-label={texts.search} onKeyDown={onKeyDown}>
      <input type="search" ref={input} placeholder={texts.searchHint} aria-label={texts.searchHint} value={wanted.value} onInput={(event) => (wanted.value = event.currentTarget.value)} />
      <label class="match-case">
        <input type="checkbox" checked={matchCase.value} onChange={(event) => (matchCase.value = event.currentTarget.checked)} />
        {texts.matchCase}
      </label>
      <p class="quiet" role="status">
        {isBusy.value && !result ? texts.searching : summary} {result?.isCut && texts.searchCut}
      </p>
      <div class="hits">
        {[...groups].map(([path, hits]) => (
          <section key={path} aria-label={shownName(path)}>
            <h3 title={shownName(path)}>{shownName(path)}</h3>
            {hits.map((hit) => (
              <button key={`${hit.line}:${hit.column}`} class="plain hit" title={texts.openAt(shownName(path), hit.line)} onClick={() => goTo(tabs, hit)}>
                <span class="quiet">{hit.line}</span>
                <code>
                  {hit.shown.slice(0, hit.shownAt)}
                  <mark>{hit.shown.slice(hit.shownAt, hit.shownAt + hit.length)}</mark>
                  {hit.shown.slice(hit.shownAt + hit.length)}
                </code>
              </button>
            ))}
          </section>
        ))}
      </div>
    </div>
  );
}
