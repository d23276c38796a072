// The middle: tabs, and below them the file or view that is shown.

import { t } from "../texts/texts";
import { BlobNote } from "./blob-note";
import { FileEditor } from "./file-editor";
import { TabBar } from "./tab-bar";
import { useTask } from "./task-context";

export function EditorPane() {
  const { room, tabs } = useTask();
  const shown = tabs.shown.value;
  return (
    <>
      <TabBar />
      <div class="shown" role="tabpanel" id="shown" aria-labelledby={shown ? `tab-${shown.key}` : undefined}>
        <Shown key={shown?.key} />
      </div>
    </>
  );

  function Shown() {
    const texts = t.value.editor;
    if (!shown) {
      return (
        <div class="nothing">
          <p>{room.tree.value ? texts.noFile : t.value.common.loading}</p>
          {room.tree.value && <p class="quiet">{texts.noFileHint}</p>}
        </div>
      );
    }
    if (shown.kind === "view") return <>{shown.render()}</>;
    const node = room.files.value.get(shown.key);
    return node?.kind === "blob" ? <BlobNote file={node} /> : <FileEditor file={shown.key} />;
  }
}
