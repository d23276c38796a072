// A file in the editor: holds its document while it is shown, and keeps the editor's role, path and people up to date.

import { effect, useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { toastError } from "../app/toasts";
import { t } from "../texts/texts";
import { freePath } from "../tree/free-path";
import { EditorInstance } from "./editor-instance";
import { offerGoTo } from "./go-to";
import { useTask } from "./task-context";

export function FileEditor({ file }: { file: string }) {
  const { room, tabs, follow } = useTask();
  const parent = useRef<HTMLDivElement>(null);
  const isReady = useSignal(false);
  const isGone = useSignal(false);

  useEffect(() => {
    const document = room.documents.hold(file);
    const leaves: (() => void)[] = [];
    let instance: EditorInstance | undefined;
    // The path is remembered, so that it can be said when the file is gone.
    let path = "";
    const stop = effect(() => {
      path = room.files.value.get(file)?.path ?? path;
      const standing = document.standing.value;
      // Without access to the task no file is to be had; that is said above.
      isGone.value = standing === "gone" && room.ended.value === null;
      if (standing === "loading" || !parent.current) return;
      const mayEdit = room.mayEdit.value && standing === "ready";
      isReady.value = true;
      if (!instance) {
        instance = new EditorInstance(parent.current, document, room.user);
        leaves.push(follow.followCursor(instance), offerGoTo(file, instance));
      }
      instance.setPath(path);
      instance.setReadOnly(!mayEdit);
    });
    room.presence.lookAt(file);
    return () => {
      stop();
      leaves.forEach((leave) => leave());
      instance?.close();
      room.documents.release(file);
      room.presence.lookAt(null);
    };
  }, [file]);

  const saveAsNew = () => {
    const text = room.documents.open.peek().find((open) => open.file === file)?.text.toString() ?? "";
    const path = freePath(room.tree.peek(), "restored.txt");
    room.request({ type: "create_file", path, text }).then((made) => {
      tabs.close(file);
      tabs.openFile(made.file);
    }, toastError);
  };

  const texts = t.value.editor;
  return (
    <>
      {isGone.value && (
        <div class="ended" role="alert">
          <div>
            <strong>{texts.gone}</strong> <span>{texts.goneHint}</span>
          </div>
          <button onClick={saveAsNew}>{texts.saveAsNew}</button>
        </div>
      )}
      <div class="code" ref={parent} />
      {!isReady.value && !isGone.value && <div class="loading over">{t.value.common.loading}</div>}
    </>
  );
}
