// A name, typed in place. Enter takes it, Escape gives it up, leaving the field takes it.

import { useLayoutEffect, useRef } from "preact/hooks";

interface NameInputProps {
  label: string;
  value: string;
  placeholder?: string;
  onDone(typed: string): void;
}

export function NameInput({ label, value, placeholder, onDone }: NameInputProps) {
  const element = useRef<HTMLInputElement>(null);
  const isDone = useRef(false);
  // Before the next key, which belongs to the name already.
  useLayoutEffect(() => {
    const input = element.current;
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
  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    if (event.key === "Enter" && !event.isComposing) done(element.current?.value ?? "");
    else if (event.key === "Escape") done("");
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
