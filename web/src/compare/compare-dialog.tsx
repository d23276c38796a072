// The place of the comparison; what it is made of is loaded when it is opened first.

import { signal } from "@preact/signals";
import type { ComponentType } from "preact";
import { toastError } from "../app/toasts";
import { comparison, type Comparison } from "./compare-state";

const loaded = signal<ComponentType<Comparison> | null>(null);

export function CompareDialog() {
  const asked = comparison.value;
  if (!asked) return null;
  const Shown = loaded.value;
  if (!Shown) {
    import("./later-compare").then((module) => (loaded.value = module.Compare), toastError);
    return null;
  }
  return <Shown {...asked} />;
}
