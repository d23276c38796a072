// Where to go after signing in.

/** The path that `next` of the address asks for; the start page where it asks for none, or for another site. */
export function nextOf(search: string): string {
  const wanted = new URLSearchParams(search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(wanted) ? wanted : "/";
}
