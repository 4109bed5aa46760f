// The one name that expressions about an answer can read: `response`, with `status`, `headers` (lower-case names) and
// `body`. Lazy: a body that no expression reads is never parsed. Must never throw for a receiver's sake.
import { parsePayload } from "./payload.ts";
import type { Scope } from "./scope.ts";
import { ABSENT, setOwnMember, type Value, type ValueObject } from "./values.ts";

export const RESPONSE_ROOT = "response";

export interface ResponseParts {
  readonly status: number;
  /** Name and value in turn. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** Not the whole of it: then nobody can read it. */
  readonly bodyTruncated: boolean;
}

class ResponseScope implements Scope {
  readonly fieldAliases = {};
  readonly #parts: ResponseParts;
  #response: ValueObject | undefined;

  constructor(parts: ResponseParts) {
    this.#parts = parts;
  }

  lookup(name: string): Value {
    if (name !== RESPONSE_ROOT) return ABSENT;
    if (this.#response !== undefined) return this.#response;
    const { status, headers } = this.#parts;
    const body = bodyOf(this.#parts);
    this.#response = { status, headers: headerMap(headers), ...(body === ABSENT ? {} : { body }) };
    return this.#response;
  }
}

/** JSON is parsed whatever its media type says; anything else is text; nothing is absent. */
function bodyOf({ body, bodyTruncated }: ResponseParts): Value {
  if (body.length === 0 || bodyTruncated) return ABSENT;
  try {
    return parsePayload(body, { exactNumbers: true });
  } catch {
    return body.toString("utf8");
  }
}

function headerMap(headers: readonly string[]): ValueObject {
  const map: Record<string, Value> = {};
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase();
    const present = Object.hasOwn(map, name) ? map[name] : undefined;
    setOwnMember(map, name, typeof present === "string" ? `${present}, ${headers[i + 1]}` : (headers[i + 1] as string));
  }
  return map;
}

export function responseScope(parts: ResponseParts): Scope {
  return new ResponseScope(parts);
}
