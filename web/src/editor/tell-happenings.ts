// Says what happens in the room and is said once.

import { toast } from "../app/toasts";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import type { TaskContext } from "./task-context";

export function tellHappenings({ room, tabs }: TaskContext): () => void {
  return room.onHappening((happening) => {
    const texts = t.peek().editor;
    switch (happening.kind) {
      case "deleted-file": {
        // A tab stays when its text would be lost with it.
        const open = room.documents.open.peek().find((document) => document.file === happening.file);
        if (happening.by !== room.user.name) toast(texts.fileDeleted(shownName(happening.path), happening.by));
        if (!open || open.stored.waiting.peek() === 0) tabs.close(happening.file);
        return;
      }
      case "unsent-gone":
        return tabs.openFile(happening.file);
      case "notice":
        return toast(texts.notices[happening.code] || happening.message);
      case "role":
        return toast(texts.roleNow[happening.role]);
      default: {
        const unknown: never = happening;
        return unknown;
      }
    }
  });
}
