// Dialogs on the browser's own <dialog>: it keeps the focus inside and gives it back.

import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { t } from "../texts/texts";
import { Menus } from "./menu";
import { useModal } from "./modal";
import { Toasts } from "./toasts";

interface DialogProps {
  title: string;
  onClose(): void;
  /** What it waits for before it opens. */
  ready?: Promise<unknown>;
  children: ComponentChildren;
}

/** A dialog that is open while it is rendered. Escape and a press outside close it. */
export function Dialog({ title, onClose, ready, children }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  useModal(element, ready);
  const onCancel = (event: Event) => {
    event.preventDefault();
    onClose();
  };
  const onMouseDown = (event: MouseEvent) => {
    if (event.target === element.current) onClose();
  };
  return (
    <dialog ref={element} aria-label={title} onCancel={onCancel} onMouseDown={onMouseDown}>
      <div class="stack">
        <h2>{title}</h2>
        {children}
      </div>
      <Menus place={element} />
      <Toasts place={element} />
    </dialog>
  );
}

interface Question {
  title: string;
  text: string;
  /** The word on the button that does it. */
  action: string;
  answer(yes: boolean): void;
}

const question = signal<Question | null>(null);

/** Asks before something that cannot be undone. Resolves with whether to do it. */
export function confirmed(title: string, text: string, action: string): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((resolve) => {
    const answer = (yes: boolean) => {
      question.value = null;
      resolve(yes);
    };
    question.value = { title, text, action, answer };
  });
}

/** The place of the question; once in the page. */
export function Confirmation() {
  const asked = question.value;
  if (!asked) return null;
  return (
    <Dialog key={asked.title} title={asked.title} onClose={() => asked.answer(false)}>
      <p>{asked.text}</p>
      <div class="actions">
        <button onClick={() => asked.answer(false)}>{t.value.common.cancel}</button>
        <button class="danger" onClick={() => asked.answer(true)}>
          {asked.action}
        </button>
      </div>
    </Dialog>
  );
}
