// YAML.

import { yaml } from "@codemirror/lang-yaml";

export const support = yaml();
