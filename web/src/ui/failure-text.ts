import { Problem, Unreachable } from "../api/problem";
import type { ErrorTexts } from "../i18n";
import type { Format } from "../i18n/format";
import type { Dictionary } from "../i18n/ko";

/** What to tell a person about a failure: the catalogue's words for the server's code. */
export function failureText(
  failure: unknown,
  t: Dictionary,
  texts: ErrorTexts,
  format: Format,
): { title: string; hint: string } {
  if (failure instanceof Unreachable) return { title: t.failure.unreachable, hint: t.failure.unreachableHint };
  const known = failure instanceof Problem ? texts[failure.code] : undefined;
  if (!known) return { title: t.failure.unexpected, hint: t.failure.unexpectedHint };
  const retryAt = failure instanceof Problem ? failure.retryAt : undefined;
  return retryAt ? { ...known, hint: `${known.hint} ${t.failure.retryAt(format.dateTime(retryAt))}` } : known;
}
