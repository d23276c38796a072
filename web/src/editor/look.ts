// How the editor looks: all of it by the theme's variables, so that light and dark change without a new editor.

import { HighlightStyle, syntaxHighlighting } from "@codemirror/language";
import { EditorState } from "@codemirror/state";
import { EditorView } from "@codemirror/view";
import { tags } from "@lezer/highlight";
import { t } from "../texts/texts";

const theme = EditorView.theme({
  "&": { height: "100%", backgroundColor: "var(--card)", color: "var(--text)" },
  "&.cm-focused": { outline: "none" },
  ".cm-scroller": { fontFamily: "var(--mono)", fontSize: "13.5px", lineHeight: "1.55" },
  ".cm-content": { caretColor: "var(--text)", padding: "6px 0 40vh" },
  // Room for three digits, so that the hundredth line moves no text.
  ".cm-lineNumbers .cm-gutterElement": { minWidth: "calc(3ch + 8px)" },
  ".cm-gutters": { backgroundColor: "var(--card)", color: "var(--quiet)", border: "none", paddingLeft: "6px" },
  ".cm-activeLine": { backgroundColor: "color-mix(in srgb, var(--accent) 6%, transparent)" },
  ".cm-activeLineGutter": { backgroundColor: "transparent", color: "var(--text)" },
  ".cm-cursor, .cm-dropCursor": { borderLeftColor: "var(--text)", borderLeftWidth: "2px" },
  "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { background: "color-mix(in srgb, var(--accent) 26%, transparent)" },
  ".cm-selectionMatch": { backgroundColor: "color-mix(in srgb, var(--accent) 16%, transparent)" },
  ".cm-searchMatch": { backgroundColor: "var(--match)", color: "var(--text)" },
  ".cm-searchMatch-selected": { outline: "2px solid var(--accent)" },
  ".cm-matchingBracket, &.cm-focused .cm-matchingBracket": { backgroundColor: "color-mix(in srgb, var(--accent) 22%, transparent)", outline: "1px solid var(--accent)" },
  ".cm-nonmatchingBracket, &.cm-focused .cm-nonmatchingBracket": { color: "var(--bad)" },
  ".cm-panels": { backgroundColor: "var(--raised)", color: "var(--text)" },
  ".cm-panels-bottom": { borderTop: "1px solid var(--line)" },
  ".cm-panel.cm-search": { padding: "6px 10px" },
  ".cm-panel.cm-search label": { display: "inline-flex", alignItems: "center", gap: "0.35em", verticalAlign: "middle", fontSize: "0.85rem" },
  ".cm-panel.cm-search input[type=checkbox]": { minHeight: "0", margin: "0" },
  ".cm-textfield": { backgroundColor: "var(--card)", color: "var(--text)", border: "1px solid var(--line-strong)", borderRadius: "4px", fontSize: "0.9rem" },
  ".cm-button": { backgroundImage: "none", backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)", borderRadius: "4px", fontSize: "0.85rem" },
  ".cm-foldPlaceholder": { backgroundColor: "var(--hover)", color: "var(--quiet)", border: "1px solid var(--line)" },
  ".cm-foldGutter .cm-gutterElement": { color: "var(--quiet)" },
  ".cm-tooltip": { backgroundColor: "var(--raised)", color: "var(--text)", border: "1px solid var(--line)" },
  ".cm-specialChar": { color: "var(--bad)" },
});

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.modifier, tags.controlKeyword, tags.operatorKeyword, tags.definitionKeyword, tags.moduleKeyword], color: "var(--syn-keyword)" },
  { tag: [tags.string, tags.special(tags.string), tags.regexp, tags.character], color: "var(--syn-string)" },
  { tag: [tags.number, tags.bool, tags.null, tags.atom, tags.escape], color: "var(--syn-number)" },
  { tag: [tags.comment, tags.lineComment, tags.blockComment, tags.docComment], color: "var(--syn-comment)", fontStyle: "italic" },
  { tag: [tags.function(tags.variableName), tags.function(tags.definition(tags.variableName)), tags.propertyName, tags.labelName], color: "var(--syn-name)" },
  { tag: [tags.typeName, tags.className, tags.namespace, tags.standard(tags.variableName)], color: "var(--syn-type)" },
  { tag: [tags.meta, tags.annotation, tags.processingInstruction, tags.tagName, tags.attributeName], color: "var(--syn-meta)" },
  { tag: [tags.heading, tags.strong], fontWeight: "bold" },
  { tag: tags.heading, color: "var(--syn-name)" },
  { tag: tags.emphasis, fontStyle: "italic" },
  { tag: tags.strikethrough, textDecoration: "line-through" },
  { tag: [tags.link, tags.url], color: "var(--syn-name)", textDecoration: "underline" },
  { tag: tags.invalid, color: "var(--bad)" },
]);

/** The server allows style elements with this nonce only (see server/src/http/web.rs). */
const nonce = document.querySelector<HTMLMetaElement>('meta[name="csp-nonce"]')?.content ?? "";

/** The editor's own words in the language of the page. */
export const phrases = () => EditorState.phrases.of(t.peek().editor.phrases);

export const look = [theme, syntaxHighlighting(colours), EditorView.cspNonce.of(nonce)];
