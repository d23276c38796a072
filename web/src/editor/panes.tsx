// The three panes and the lines between them, which can be moved by pointer and by keyboard. Sizes stay on this device.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { t } from "../texts/texts";

const KEY = "coderoom.panes";
/** Pixels that a key press moves a line. */
const STEP = 24;

interface Sizes {
  /** Width of the files in pixels; 0 hides them. */
  files: number;
  /** Height of the runs in pixels. */
  runs: number;
}

const BOUNDS = { files: { least: 150, most: 520 }, runs: { least: 96, most: 1200 } } as const;

function remembered(): Sizes {
  const usual = { files: 232, runs: Math.round(innerHeight * 0.34) };
  try {
    return { ...usual, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as object) };
  } catch {
    return usual;
  }
}

/** The sizes on this device. */
export const sizes = signal<Sizes>(remembered());

/** Hides the files, or shows them again. */
export function toggleFiles(): void {
  set("files", sizes.value.files > 0 ? 0 : 232);
}

function set(pane: keyof Sizes, size: number): void {
  const most = pane === "runs" ? Math.min(BOUNDS.runs.most, innerHeight - 220) : BOUNDS.files.most;
  const bounded = pane === "files" && size === 0 ? 0 : Math.max(BOUNDS[pane].least, Math.min(most, Math.round(size)));
  sizes.value = { ...sizes.value, [pane]: bounded };
  localStorage.setItem(KEY, JSON.stringify(sizes.value));
}

interface DividerProps {
  pane: keyof Sizes;
  label: string;
}

function Divider({ pane, label }: DividerProps) {
  const isVertical = pane === "files";
  const onPointerDown = (event: PointerEvent) => {
    const line = event.currentTarget as HTMLElement;
    const [began, before] = [isVertical ? event.clientX : event.clientY, sizes.value[pane]];
    line.setPointerCapture(event.pointerId);
    const move = (moved: PointerEvent) => set(pane, before + (isVertical ? moved.clientX - began : began - moved.clientY));
    line.addEventListener("pointermove", move);
    line.addEventListener("pointerup", () => line.removeEventListener("pointermove", move), { once: true });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const grow = isVertical ? "ArrowRight" : "ArrowUp";
    const shrink = isVertical ? "ArrowLeft" : "ArrowDown";
    if (event.key !== grow && event.key !== shrink) return;
    event.preventDefault();
    set(pane, sizes.value[pane] + (event.key === grow ? STEP : -STEP));
  };
  return (
    <div
      class={`divider ${pane}`}
      role="separator"
      tabIndex={0}
      aria-label={label}
      aria-orientation={isVertical ? "vertical" : "horizontal"}
      aria-valuenow={sizes.value[pane]}
      aria-valuemin={BOUNDS[pane].least}
      aria-valuemax={BOUNDS[pane].most}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
    />
  );
}

export function Panes({ files, editor, runs }: { files: ComponentChildren; editor: ComponentChildren; runs: ComponentChildren }) {
  const texts = t.value.editor;
  const { files: width, runs: height } = sizes.value;
  return (
    <div class="panes" style={{ "--files": `${width}px`, "--runs": `${height}px` }} data-files={width > 0 ? "shown" : "hidden"}>
      {width > 0 && (
        <>
          <nav class="pane files" aria-label={texts.files}>
            {files}
          </nav>
          <Divider pane="files" label={texts.resize(texts.files)} />
        </>
      )}
      <main class="pane editor" id="editor" aria-label={texts.editor}>
        {editor}
      </main>
      <Divider pane="runs" label={texts.resizeHeight(texts.runs)} />
      <section class="pane runs" aria-label={texts.runs}>
        {runs}
      </section>
    </div>
  );
}
