// Who is in the room. Choosing somebody follows them; choosing them again lets go.

import { useRef } from "preact/hooks";
import { colourOf, initials } from "../people/colours";
import { shownName } from "../texts/shown-name";
import { t } from "../texts/texts";
import { placesOf } from "./sign-places";
import { useTask } from "./task-context";

/** Signs in the bar; more are a number. So few that they and the longest name have room beside each other. */
const maxSigns = () => (innerWidth < 1200 ? 3 : 8);

export function PeopleHere() {
  const { room, follow } = useTask();
  const texts = t.value.editor;
  const others = room.presence.people.value.filter((person) => person.id !== room.user.id);
  const most = maxSigns();
  const places = useRef<readonly (string | null)[]>([]);
  places.current = placesOf(places.current, others.map(({ id }) => id), most);
  if (others.length === 0) return null;
  return (
    <ul class="people-here" aria-label={texts.people}>
      {places.current.map((id, place) => {
        const person = others.find((other) => other.id === id);
        if (!person) return <li key={place} class="gap" aria-hidden="true" />;
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
              title={path ? `${label} (${texts.inFile(shownName(path))})` : label}
              onClick={() => follow.toggle(person.id)}
            >
              {initials(person.name)}
            </button>
          </li>
        );
      })}
      {others.length > most && (
        <li key="more" class="quiet" title={others.map(({ name }) => name).join(", ")}>
          +{others.length - most}
        </li>
      )}
    </ul>
  );
}
