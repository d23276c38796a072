// The search in a log: words, how often they are there, and the way from one place to the next.

import { useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "../app/icons";
import { t } from "../texts/texts";
import { MAX_MATCHES, type LogSearch } from "./find";
import type { LogView } from "./log-view";

interface FindBarProps {
  search: LogSearch;
  view: LogView;
  onClose(): void;
}

export function FindBar({ search, view, onClose }: FindBarProps) {
  const input = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    input.current?.focus();
    return () => {
      search.search("");
      view.refreshAll();
    };
  }, [search]);
  const move = (step: number) => {
    const line = search.move(step);
    if (line !== undefined) view.toLine(line);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") move(event.shiftKey ? -1 : 1);
    else if (event.key === "Escape") onClose();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const onInput = (event: InputEvent) => {
    search.search((event.currentTarget as HTMLInputElement).value);
    view.refreshAll();
  };
  const texts = t.value.runs;
  const count = search.matches.value.length;
  const found = texts.found(search.current.value + 1, count, count >= MAX_MATCHES);
  return (
    <div class="log-find" role="search" aria-label={texts.find} onKeyDown={onKeyDown}>
      <input ref={input} aria-label={texts.find} placeholder={texts.find} onInput={onInput} />
      <span class="quiet" role="status">
        {input.current?.value ? found : ""}
      </span>
      <button class="plain icon-only" aria-label={texts.previousMatch} title={texts.previousMatch} onClick={() => move(-1)}>
        <span class="turned">
          <Icon name="down" />
        </span>
      </button>
      <button class="plain icon-only" aria-label={texts.nextMatch} title={texts.nextMatch} onClick={() => move(1)}>
        <Icon name="down" />
      </button>
      <button class="plain icon-only" aria-label={t.value.common.close} title={t.value.common.close} onClick={onClose}>
        <Icon name="close" />
      </button>
    </div>
  );
}
