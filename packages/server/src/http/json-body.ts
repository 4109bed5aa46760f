// Bytes of an ordinary request into a JSON value. Strict: UTF-8 without a mark, one document, no fallback.
import { type Failure, failure } from "./answer.ts";

export type JsonBody =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly failure: Failure };

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * @param bytes the body as received, or undefined when none came
 * @param optional whether no body means `{}`
 */
export function readJsonBody(bytes: Buffer | undefined, optional: boolean): JsonBody {
  if (bytes === undefined || bytes.length === 0) {
    return optional ? { ok: true, value: {} } : { ok: false, failure: failure("EMPTY_BODY") };
  }
  let text: string;
  try {
    text = UTF8.decode(bytes);
  } catch {
    return { ok: false, failure: failure("INVALID_UTF8") };
  }
  try {
    return { ok: true, value: JSON.parse(text) as unknown };
  } catch (error) {
    // V8 names what it met and where; it quotes a few characters of the body, which the sender has sent himself.
    return { ok: false, failure: failure("INVALID_JSON", `The body is not JSON: ${(error as Error).message}.`) };
  }
}
