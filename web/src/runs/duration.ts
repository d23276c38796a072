// How long something took, short, for people.

/** `0.4 s`, `12 s`, `3:05`, `1:00:12`. */
export function duration(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  const two = (count: number) => String(Math.floor(count)).padStart(2, "0");
  const [hours, minutes] = [Math.floor(seconds / 3600), (seconds % 3600) / 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${Math.floor(minutes)}:${two(seconds % 60)}`;
}
