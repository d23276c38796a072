// The left pane: the tree of files, or the search in all of them.

import { Icon } from "../app/icons";
import { t } from "../texts/texts";
import { FileTree } from "../tree/file-tree";
import { leftPane } from "./left-pane-state";
import { SearchPane } from "./search-pane";

export function LeftPane() {
  const texts = t.value.editor;
  const choice = (which: "files" | "search", label: string) => (
    <button class="plain" aria-pressed={leftPane.value === which} title={which === "search" ? `${label} (Ctrl+Shift+F)` : label} onClick={() => (leftPane.value = which)}>
      <Icon name={which === "search" ? "search" : "folder"} />
      {which === "search" ? t.value.editor.find : label}
    </button>
  );
  return (
    <>
      <div class="left-choice" role="group" aria-label={texts.filesOrSearch}>
        {choice("files", texts.files)}
        {choice("search", texts.search)}
      </div>
      {leftPane.value === "files" ? <FileTree /> : <SearchPane />}
    </>
  );
}
