// Which browser a session is in.

/** What is in the name that a browser gives, and how people call it; most say that they are several, so order decides. */
const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["Firefox", "Firefox"], ["Chrome", "Chrome"], ["Safari", "Safari"]] as const;
const SYSTEMS = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["Linux", "Linux"]] as const;

/** What a browser calls itself, as people call it. */
export function browserName(agent: string): string {
  const named = [BROWSERS, SYSTEMS].flatMap((list) => list.find(([part]) => agent.includes(part))?.[1] ?? []);
  return named.join(", ") || agent.slice(0, 40) || "?";
}
