// The texts in the chosen language. English is always there; others are loaded when they are chosen.

import { effect, signal } from "@preact/signals";
import { en, type Texts } from "./en";

export type UiLanguage = "en" | "zh";

/** Languages by their own names. */
export const UI_LANGUAGES: Readonly<Record<UiLanguage, string>> = { en: "English", zh: "中文" };

const KEY = "coderoom.language";

/** The choice on this device; the browser's wish at first. */
export const language = signal<UiLanguage>(chosen());

/** The texts. Components read `t.value` and change with it. */
export const t = signal<Texts>(en);

function chosen(): UiLanguage {
  const stored = localStorage.getItem(KEY);
  if (stored === "en" || stored === "zh") return stored;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
}

/** Chooses a language for this device. */
export function chooseLanguage(next: UiLanguage): void {
  localStorage.setItem(KEY, next);
  language.value = next;
}

/** Resolves when the texts of the first language are there, so that the page does not change under people's eyes. */
export const textsReady: Promise<void> = new Promise((resolve) => {
  effect(() => {
    const wanted = language.value;
    document.documentElement.lang = wanted;
    void load(wanted).then((texts) => {
      if (language.peek() === wanted) t.value = texts;
      resolve();
    });
  });
});

async function load(wanted: UiLanguage): Promise<Texts> {
  return wanted === "zh" ? (await import("./zh")).zh : en;
}

/** A moment as people say it: the time today, else the date. */
export function when(at: number, now = Date.now()): string {
  const date = new Date(at);
  const isToday = new Date(now).toDateString() === date.toDateString();
  return isToday ? date.toLocaleTimeString(language.value, { hour: "2-digit", minute: "2-digit" }) : date.toLocaleDateString(language.value, { day: "numeric", month: "short", year: "numeric" });
}

const UNITS = ["B", "kB", "MB", "GB"] as const;

/** Bytes for people. */
export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${value.toLocaleString(language.value, { maximumFractionDigits: unit === 0 || value >= 100 ? 0 : 1 })} ${UNITS[unit]}`;
}
