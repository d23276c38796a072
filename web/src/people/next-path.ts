// Where to go after signing in.

/** The path that `next` of the address asks for; the start page where it asks for none, or for another site. Browsers leave tabs and ends of lines out of addresses. */
export function nextOf(search: string): string {
  const wanted = new URLSearchParams(search).get("next") ?? "/";
  return /^\/(?![/\\])[^\t\n\r]*$/.test(wanted) ? wanted : "/";
}
