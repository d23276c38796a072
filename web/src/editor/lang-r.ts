// R.

import { StreamLanguage } from "@codemirror/language";
import { r } from "@codemirror/legacy-modes/mode/r";

export const support = StreamLanguage.define(r);
