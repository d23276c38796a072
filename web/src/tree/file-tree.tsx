// The list of files of a task.

import type { Node } from "../messages.generated";
import { t } from "../texts/texts";
import { useTask } from "../editor/task-context";

export function FileTree() {
  const { room, tabs } = useTask();
  const tree = room.tree.value;
  const row = (node: Node) => (
    <li key={node.id ?? node.path}>
      {node.children ? (
        <>
          {node.name}
          <ul>{node.children.map(row)}</ul>
        </>
      ) : (
        <button class="plain" onClick={() => node.id && tabs.openFile(node.id)}>
          {node.name}
        </button>
      )}
    </li>
  );
  return <ul aria-label={t.value.tree.label}>{tree?.children?.map(row)}</ul>;
}
