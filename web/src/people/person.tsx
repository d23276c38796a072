// The small round sign of a person.

import { colourOf, initials } from "./colours";

export function PersonSign({ id, name, title }: { id: string; name: string; title?: string }) {
  return (
    <span class="person" style={{ "--person": colourOf(id) }} title={title ?? name} aria-hidden="true">
      {initials(name)}
    </span>
  );
}
