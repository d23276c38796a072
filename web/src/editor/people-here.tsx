// Who is in the room. Choosing somebody follows them.

import { PersonSign } from "../people/person";
import { t } from "../texts/texts";
import { useTask } from "./task-context";

export function PeopleHere() {
  const { room } = useTask();
  return (
    <ul class="people-here" aria-label={t.value.editor.people}>
      {room.presence.people.value
        .filter((person) => person.id !== room.user.id)
        .map((person) => (
          <li key={person.id}>
            <PersonSign {...person} />
            <span class="hidden-text">{person.name}</span>
          </li>
        ))}
    </ul>
  );
}
