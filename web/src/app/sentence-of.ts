// What went wrong, as a sentence with what to do about it.

import { ApiError } from "../api/http";
import { RequestError } from "../room/requests";
import { t } from "../texts/texts";

/** The sentence for any error: the server's own where it has one in the page's language. */
export function sentenceOf(error: unknown): string {
  if (!(error instanceof ApiError) && !(error instanceof RequestError)) return t.value.errors.unexpected;
  if (error.code === "offline") return t.value.errors.offline;
  const own = t.value.errors.codes?.[error.code];
  return own ?? (error.message || t.value.errors.unexpected);
}
