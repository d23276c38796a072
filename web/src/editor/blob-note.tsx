// What is shown in place of a file that is no text.

import { fileUrl } from "../api/tasks";
import { Icon } from "../app/icons";
import type { Node } from "../messages.generated";
import { bytes, t } from "../texts/texts";
import { useTask } from "./task-context";

export function BlobNote({ file }: { file: Node }) {
  const { room } = useTask();
  return (
    <div class="nothing">
      <p>{t.value.editor.blob}</p>
      <p class="quiet">{t.value.editor.blobHint(bytes(file.size))}</p>
      <a class="button" href={fileUrl(room.id, file.path)} download={file.name}>
        <Icon name="download" />
        {t.value.common.download}
      </a>
    </div>
  );
}
