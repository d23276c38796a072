// Markdown, without the languages inside its code blocks.

import { markdown } from "@codemirror/lang-markdown";

export const support = markdown({ completeHTMLTags: false });
