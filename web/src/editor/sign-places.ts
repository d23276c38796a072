// The places of people's signs. Nobody's moves when somebody else comes or goes: who goes leaves a gap, which the next one fills.

/** The ids by place, given those of before and who is here now; null is a gap. Who finds none of the `most` places is left out. */
export function placesOf(before: readonly (string | null)[], here: readonly string[], most: number): (string | null)[] {
  const places = before.slice(0, most).map((id) => (id !== null && here.includes(id) ? id : null));
  for (const id of here) {
    if (places.includes(id)) continue;
    const gap = places.indexOf(null);
    if (gap >= 0) places[gap] = id;
    else if (places.length < most) places.push(id);
  }
  return places.slice(0, places.findLastIndex((id) => id !== null) + 1);
}
