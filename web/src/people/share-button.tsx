// Opens the share panel.

import { useSignal } from "@preact/signals";
import { Icon } from "../app/icons";
import { useTask } from "../editor/task-context";
import { t } from "../texts/texts";
import { ShareDialog } from "./share-dialog";

export function ShareButton() {
  const { room } = useTask();
  const isOpen = useSignal(false);
  return (
    <>
      <button onClick={() => (isOpen.value = true)} disabled={room.ended.value !== null}>
        <Icon name="share" />
        <span class="wide-only">{t.value.share.title}</span>
        <span class="hidden-text narrow-only">{t.value.share.title}</span>
      </button>
      {isOpen.value && <ShareDialog room={room} onClose={() => (isOpen.value = false)} />}
    </>
  );
}
