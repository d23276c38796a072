// Who is in the room. Choosing somebody follows them; choosing them again lets go.

import { colourOf, initials } from "../people/colours";
import { t } from "../texts/texts";
import { useTask } from "./task-context";

/** Signs in the bar; more are a number. So few that they and the longest name have room beside each other. */
const maxSigns = () => (innerWidth < 1200 ? 3 : 8);

export function PeopleHere() {
  const { room, follow } = useTask();
  const texts = t.value.editor;
  const others = room.presence.people.value.filter((person) => person.id !== room.user.id);
  if (others.length === 0) return null;
  const most = maxSigns();
  return (
    <ul class="people-here" aria-label={texts.people}>
      {others.slice(0, most).map((person) => {
        const path = room.files.value.get(person.files[0] ?? "")?.path;
        const isFollowed = follow.who.value === person.id;
        const label = isFollowed ? texts.following(person.name) : texts.follow(person.name);
        return (
          <li key={person.id}>
            <button
              class={isFollowed ? "person followed" : "person"}
              style={{ "--person": colourOf(person.id) }}
              aria-label={label}
              aria-pressed={isFollowed}
              title={path ? `${label} (${texts.inFile(path)})` : label}
              onClick={() => follow.toggle(person.id)}
            >
              {initials(person.name)}
            </button>
          </li>
        );
      })}
      {others.length > most && (
        <li class="quiet" title={others.map(({ name }) => name).join(", ")}>
          +{others.length - most}
        </li>
      )}
    </ul>
  );
}
