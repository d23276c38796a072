// The few icons, as strokes of a 24-unit square. They are decoration: the control they are in has the name.

const PATHS = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  chevron: "M9 6l6 6-6 6",
  close: "M6 6l12 12M18 6L6 18",
  download: "M12 4v11M7 11l5 5 5-5M5 20h14",
  file: "M7 3h7l5 5v13H7zM14 3v5h5",
  folder: "M3 6h6l2 3h10v11H3z",
  blob: "M7 3h7l5 5v13H7zM10 12h6M10 16h6",
  menu: "M5 11v2M12 11v2M19 11v2M4 12h2M11 12h2M18 12h2",
  person: "M12 12a4 4 0 100-8 4 4 0 000 8zM4 21c1-5 5-6 8-6s7 1 8 6",
  play: "M7 4l13 8-13 8z",
  search: "M11 18a7 7 0 100-14 7 7 0 000 14zM16 16l5 5",
  settings: "M4 7h10M18 7h2M16 9a2 2 0 100-4 2 2 0 000 4zM4 17h2M10 17h10M8 19a2 2 0 100-4 2 2 0 000 4z",
  share: "M16 8a3 3 0 100-6 3 3 0 000 6zM6 15a3 3 0 100-6 3 3 0 000 6zM16 22a3 3 0 100-6 3 3 0 000 6zM8.6 10.6l4.8-3.2M8.6 13.4l4.8 3.2",
  star: "M12 3l2.8 5.9 6.2.8-4.5 4.4 1.1 6.4L12 17.4 6.4 20.5l1.1-6.4L3 9.7l6.2-.8z",
  stop: "M6 6h12v12H6z",
  again: "M20 11a8 8 0 10-2.3 6M20 5v6h-6",
  upload: "M12 16V5M7 9l5-5 5 5M5 20h14",
  panel: "M3 4h18v16H3zM9 4v16",
  compare: "M3 8h14M13 4l4 4-4 4M21 16H7M11 12l-4 4 4 4",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  down: "M12 5v14M6 13l6 6 6-6",
  eye: "M2 12c3-5 6.500-7 10-7s7 2 10 7c-3 5-6.500 7-10 7s-7-2-10-7zM12 15a3 3 0 100-6 3 3 0 000 6z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
