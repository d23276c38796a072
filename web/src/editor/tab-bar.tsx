// The tabs of open files and views. Left and Right move between them, Delete closes one.

import { Icon } from "../app/icons";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { useTask } from "./task-context";
import type { Tab } from "./tabs";

export function TabBar() {
  const { room, tabs } = useTask();
  const files = room.files.value;
  const titleOf = (tab: Tab) => (tab.kind === "view" ? tab.title() : shownName(files.get(tab.key)?.name ?? "…"));
  const pathOf = (tab: Tab) => (tab.kind === "view" ? tab.title() : shownName(files.get(tab.key)?.path ?? "…"));

  const onKeyDown = (event: KeyboardEvent, tab: Tab) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step !== 0) tabs.turn(step);
    else if (event.key === "Delete") tabs.close(tab.key);
    else return;
    event.preventDefault();
    const bar = (event.currentTarget as Element).closest("[role=tablist]");
    requestAnimationFrame(() => bar?.querySelector<HTMLElement>("[aria-selected=true]")?.focus());
  };

  return (
    <div class="tab-bar" role="tablist" aria-label={t.value.editor.tabs}>
      {tabs.open.value.map((tab) => {
        const isShown = tabs.shown.value?.key === tab.key;
        return (
          <span class={isShown ? "tab shown-tab" : "tab"} role="presentation" key={tab.key} onAuxClick={(event) => event.button === 1 && tabs.close(tab.key)}>
            <button
              role="tab"
              id={`tab-${tab.key}`}
              aria-selected={isShown}
              aria-controls="shown"
              tabIndex={isShown ? 0 : -1}
              title={pathOf(tab)}
              onClick={() => tabs.show(tab.key)}
              onKeyDown={(event) => onKeyDown(event, tab)}
            >
              {titleOf(tab)}
            </button>
            <button class="plain close" tabIndex={-1} aria-hidden="true" title={t.value.editor.closeTab(titleOf(tab))} onClick={() => tabs.close(tab.key)}>
              <Icon name="close" />
            </button>
          </span>
        );
      })}
    </div>
  );
}
