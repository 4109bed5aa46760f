// What no ordinary route takes, whatever its schema: values nested too deeply, and texts that PostgreSQL cannot keep.
// Checked once for all of them, so that no handler can forget it. Payloads of events do not come this way.
import { type Failure, failure, fieldFailure } from "./answer.ts";
import { fieldName } from "./validation.ts";

/** As for events: JSON.parse takes far more levels than JSON.stringify gives back. */
const MAX_DEPTH = 64;
/** NUL, which `text` and `jsonb` refuse, and half a surrogate pair, which UTF-8 cannot write. */
const UNSTORABLE = /\0|\p{Cs}/u;
const MESSAGE = "A text may hold neither NUL nor half a surrogate pair.";

/** @returns why these path parameters name nothing, or null */
export function refusedParams(params: Readonly<Record<string, string>>): Failure | null {
  return Object.values(params).some((text) => UNSTORABLE.test(text)) ? failure("NOT_FOUND") : null;
}

/** @returns what is wrong with a parsed body or query, or null */
export function refusedTexts(value: unknown): Failure | null {
  return problemIn(value, []);
}

/** @param path where `value` stands; used as a stack */
function problemIn(value: unknown, path: PropertyKey[]): Failure | null {
  if (typeof value === "string") return UNSTORABLE.test(value) ? unstorable(path) : null;
  if (typeof value !== "object" || value === null) return null;
  if (path.length >= MAX_DEPTH) return failure("JSON_TOO_DEEP");
  const members = Array.isArray(value) ? value.entries() : Object.entries(value);
  for (const [key, member] of members) {
    if (typeof key === "string" && UNSTORABLE.test(key)) return unstorable(path);
    path.push(key);
    const problem = problemIn(member, path);
    path.pop();
    if (problem !== null) return problem;
  }
  return null;
}

function unstorable(path: readonly PropertyKey[]): Failure {
  const field = fieldName(path);
  return fieldFailure([{ ...(field === "" ? {} : { field }), message: MESSAGE, code: "INVALID_VALUE" }]);
}
