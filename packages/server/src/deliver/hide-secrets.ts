// Receivers echo: an error page that repeats the token it refused would put a secret into the record of the attempt.
// Masks a webhook's own secret texts in what came back, as they were sent; must never change anything else.
import { MASK } from "../lib/masking.ts";
import type { SendResult } from "../security/outbound/result.ts";

/** Shorter ones would be found where they do not stand for themselves. */
const MIN_LENGTH = 8;

/** The texts to look for, of all that a webhook sends as a secret; in latin-1, as a result has its headers. */
export function textsToHide(secrets: readonly string[]): string[] {
  return secrets
    .filter((text) => text.length >= MIN_LENGTH)
    .map((text) => Buffer.from(text, "utf8").toString("latin1"));
}

/**
 * The result with every secret text in its headers and body masked; the very same result when there is none. Other
 * spellings of a secret (percent-encoded, cut in two by the excerpt's end) are not found.
 * @param texts what `textsToHide` made
 */
export function hideSecrets(result: SendResult, texts: readonly string[]): SendResult {
  if (texts.length === 0 || result.kind !== "responded") return result;
  const body = result.body.toString("latin1");
  const isEchoed = texts.some((text) => body.includes(text) || result.headers.some((part) => part.includes(text)));
  if (!isEchoed) return result;
  const masked = (part: string): string => texts.reduce((shown, text) => shown.replaceAll(text, MASK), part);
  return { ...result, headers: result.headers.map(masked), body: Buffer.from(masked(body), "latin1") };
}
