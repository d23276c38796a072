// A name, typed in place. Enter takes it, Escape gives it up, leaving the field takes it. Both keys give the focus back.

import { useLayoutEffect, useRef } from "preact/hooks";

interface NameInputProps {
  label: string;
  value: string;
  placeholder?: string;
  onDone(typed: string): void;
}

export function NameInput({ label, value, placeholder, onDone }: NameInputProps) {
  const element = useRef<HTMLInputElement>(null);
  const before = useRef<Element | null>(null);
  const isDone = useRef(false);
  // Before the next key, which belongs to the name already.
  useLayoutEffect(() => {
    const input = element.current;
    before.current = document.activeElement;
    input?.focus();
    // The name without its ending, which mostly stays.
    const dot = value.lastIndexOf(".");
    input?.setSelectionRange(0, dot > 0 ? dot : value.length);
  }, []);
  const done = (typed: string) => {
    if (isDone.current) return;
    isDone.current = true;
    onDone(typed);
  };
  const doneByKey = (typed: string) => {
    done(typed);
    if (before.current instanceof HTMLElement) before.current.focus();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) doneByKey(element.current?.value ?? "");
    else if (event.key === "Escape") doneByKey("");
    else return;
    // The key has done its work: the button that gets the focus back must not be pressed by it.
    event.preventDefault();
  };
  return (
    <input
      class="name-input"
      ref={element}
      aria-label={label}
      placeholder={placeholder}
      defaultValue={value}
      maxLength={255}
      spellcheck={false}
      autocomplete="off"
      onKeyDown={onKeyDown}
      onBlur={() => done(element.current?.value ?? "")}
    />
  );
}
