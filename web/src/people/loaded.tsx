// A list from the server that stands on its own: it is there, or it is said why not, with a button that tries again.

import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { sentenceOf } from "../app/sentence-of";
import { toastError } from "../app/toasts";
import { t } from "../texts/texts";

export interface Loaded<T> {
  /** What came last. */
  readonly value: T | null;
  /** Why nothing came so far, as a sentence; empty when something did. */
  readonly problem: string;
  /** Reads it anew. What is shown stays when that fails, which is said. */
  load(): Promise<void>;
}

export function useLoaded<T>(read: () => Promise<T>): Loaded<T> {
  const value = useSignal<T | null>(null);
  const problem = useSignal("");
  const load = async () => {
    try {
      value.value = await read();
      problem.value = "";
    } catch (error) {
      if (value.value) toastError(error);
      else problem.value = sentenceOf(error);
    }
  };
  useEffect(() => void load(), []);
  return { value: value.value, problem: problem.value, load };
}

export function ListProblem({ title, problem, load }: { title: string; problem: string; load(): Promise<void> }) {
  return (
    <section>
      <h2>{title}</h2>
      <p class="problem" role="alert">
        {problem}
      </p>
      <button onClick={() => void load()}>{t.value.common.retry}</button>
    </section>
  );
}
