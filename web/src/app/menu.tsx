// Menus that open at a button or at the pointer. Arrow keys move, Escape closes and gives the focus back.

import { signal } from "@preact/signals";
import type { ComponentChildren, JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";

export type MenuItem =
  | { label: string; act(): void; checked?: boolean; disabled?: boolean }
  | { label: string; href: string; download?: string }
  | { title: string }
  | "line";

interface Open {
  name: string;
  items: readonly MenuItem[];
  at: { left: number; top: number; right?: number; bottom?: number };
  from: Element | null;
  /** The dialog that it belongs to: everything outside of an open dialog is out of reach. */
  dialog: Element | null;
}

const open = signal<Open | null>(null);

/** Opens a menu below an element, or at a point. */
export function openMenu(name: string, items: readonly MenuItem[], at: Element | { x: number; y: number }): void {
  const place = at instanceof Element ? at.getBoundingClientRect() : undefined;
  const point = at instanceof Element ? undefined : at;
  open.value = {
    name,
    items,
    at: place ? { left: place.left, top: place.bottom + 2, right: place.right, bottom: place.top - 2 } : { left: point?.x ?? 0, top: point?.y ?? 0 },
    from: document.activeElement,
    dialog: at instanceof Element ? at.closest("dialog") : null,
  };
}

function close(giveBack: boolean): void {
  const from = open.value?.from;
  open.value = null;
  if (giveBack && from instanceof HTMLElement) from.focus();
}

/** The place of the menu: once in the page, and in each dialog. */
export function Menus({ place }: { place?: RefObject<Element | null> }) {
  const shown = open.value;
  return shown && shown.dialog === (place?.current ?? null) && <Menu key={shown.name + shown.at.left} {...shown} />;
}

function Menu({ name, items, at }: Open) {
  const element = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const menu = element.current;
    if (!menu) return;
    const { width, height } = menu.getBoundingClientRect();
    // Beside the window's edge it opens to the other side.
    const left = at.left + width > innerWidth ? (at.right ?? at.left) - width : at.left;
    const top = at.top + height > innerHeight ? (at.bottom ?? at.top) - height : at.top;
    menu.style.left = `${Math.max(4, left)}px`;
    menu.style.top = `${Math.max(4, top)}px`;
    menu.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
  }, []);
  useEffect(() => {
    const away = (event: Event) => {
      if (!element.current?.contains(event.target as globalThis.Node)) close(false);
    };
    addEventListener("pointerdown", away, true);
    addEventListener("resize", away);
    return () => {
      removeEventListener("pointerdown", away, true);
      removeEventListener("resize", away);
    };
  }, []);
  const onKeyDown = (event: KeyboardEvent) => {
    const all = [...(element.current?.querySelectorAll<HTMLElement>("[role^=menuitem]:not(:disabled)") ?? [])];
    const here = all.indexOf(document.activeElement as HTMLElement);
    const steps: Record<string, number> = { ArrowDown: here + 1, ArrowUp: here - 1, Home: 0, End: all.length - 1 };
    const next = steps[event.key];
    if (next !== undefined) all.at(next % all.length)?.focus();
    else if (event.key === "Escape" || event.key === "Tab") close(true);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="menu" role="menu" aria-label={name} ref={element} onKeyDown={onKeyDown} onContextMenu={(event) => event.preventDefault()}>
      {items.map((item) => {
        if (item === "line") return <hr />;
        if ("title" in item) return <div class="title">{item.title}</div>;
        if ("href" in item) {
          return (
            <a role="menuitem" tabIndex={-1} href={item.href} download={item.download ?? ""} onClick={() => close(true)}>
              {item.label}
            </a>
          );
        }
        const act = () => {
          close(true);
          item.act();
        };
        const checkable = item.checked !== undefined;
        return (
          <button role={checkable ? "menuitemradio" : "menuitem"} aria-checked={checkable ? item.checked : undefined} tabIndex={-1} disabled={item.disabled} onClick={act}>
            {item.label}
          </button>
        );
      })}
    </div>
  );
}

interface MenuButtonProps extends Omit<JSX.IntrinsicElements["button"], "onClick"> {
  name: string;
  /** Asked when it opens, so that it shows what holds then. */
  items(): readonly MenuItem[];
  children: ComponentChildren;
}

/** A button that opens a menu. */
export function MenuButton({ name, items, children, ...rest }: MenuButtonProps) {
  const onClick = (event: MouseEvent) => openMenu(name, items(), event.currentTarget as Element);
  return (
    <button aria-label={name} title={name} aria-haspopup="menu" onClick={onClick} {...rest}>
      {children}
    </button>
  );
}
