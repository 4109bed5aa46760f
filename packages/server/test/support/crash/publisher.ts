// Senders of a crash run: each operation has bytes like no other, everything it was told goes to the ledger, and what is
// left open is repeated with the same key. Must never take an answer for more than it says.
import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { Ledger } from "./ledger.ts";

export interface PublisherOptions {
  readonly ledger: Ledger;
  readonly apiKey: string;
  /** Where to knock now; undefined while no node is up. */
  readonly url: () => string | undefined;
  /** Names of the webhooks that must hear of an invoice of this total. */
  readonly expected: (total: number) => readonly string[];
}

export interface PublishOptions {
  /** Without a key an operation of unknown outcome cannot be repeated. True unless given. */
  readonly withKey?: boolean;
  /** Tries only once, whatever the answer. */
  readonly once?: boolean;
  /** Knocks here and nowhere else. */
  readonly url?: string;
}

export type PublishResult = "acknowledged" | "not_stored" | "unknown";

export interface Publisher {
  /** For senders of another kind: the next operation's number, and the total of its invoice. */
  nextOperation(): { readonly operation: number; readonly total: number };
  /** Names of the webhooks that must hear of an invoice of this total. */
  readonly expected: (total: number) => readonly string[];
  publish(options?: PublishOptions): Promise<PublishResult>;
  /** Publishes in `lanes` lines side by side until told to stop; the returned function waits for the last answers. */
  keepPublishing(lanes: number, options?: PublishOptions): () => Promise<void>;
}

/** Longer than any answer may take: a request that hangs is a finding of its own. */
const ANSWER_LIMIT_MS = 12_000;
const REPEAT_AFTER_MS = 40;
/** Answers that promise that nothing was stored. */
const NOT_STORED = new Set(["DATABASE_UNAVAILABLE", "SHUTTING_DOWN", "OVERLOADED", "EVENT_REFUSED_BY_STORAGE"]);

export function createPublisher(options: PublisherOptions): Publisher {
  const { ledger } = options;
  let count = 0;

  const nextOperation = () => {
    count += 1;
    return { operation: count, total: count % 3 === 0 ? 250.5 : 50.5 };
  };

  const publish = async ({ withKey = true, once = false, url }: PublishOptions = {}): Promise<PublishResult> => {
    const { operation, total } = nextOperation();
    const { body, tailHash } = eventBytes(operation, total);
    const key = withKey ? `operation-${operation}` : null;
    ledger.append({ kind: "invoked", operation, key, tailHash, expected: options.expected(total) });
    for (;;) {
      const target = url ?? options.url();
      if (target !== undefined) {
        const result = await tryOnce(target, operation, body, key);
        if (result === "acknowledged" || once || (result === "unknown" && key === null)) return result;
      }
      await delay(REPEAT_AFTER_MS);
    }
  };

  const tryOnce = async (url: string, operation: number, body: string, key: string | null): Promise<PublishResult> => {
    let response: Response;
    try {
      response = await fetch(`${url}/v1/events`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${options.apiKey}`,
          "content-type": "application/json",
          ...(key === null ? {} : { "idempotency-key": key }),
        },
        body,
        signal: AbortSignal.timeout(ANSWER_LIMIT_MS),
      });
    } catch (error) {
      return noteFailure(operation, error as Error);
    }
    // The status alone is the promise, even when the node is killed in the middle of its answer.
    const text = await response.text().catch(() => "");
    if (response.ok) {
      const replayed = response.headers.get("idempotency-replayed") === "true";
      ledger.append({ kind: "acknowledged", operation, eventId: parsed(text)?.data?.id ?? null, replayed });
      return "acknowledged";
    }
    const code = parsed(text)?.error?.code ?? "UNREADABLE";
    if (NOT_STORED.has(code)) {
      ledger.append({ kind: "not_stored", operation, code });
      return "not_stored";
    }
    ledger.append({ kind: "unknown", operation, why: `${response.status} ${code}` });
    return "unknown";
  };

  const noteFailure = (operation: number, { cause, message, name }: Error): PublishResult => {
    const why = (cause as { code?: string } | undefined)?.code ?? (name === "TimeoutError" ? "HUNG" : message);
    if (why !== "ECONNREFUSED") {
      ledger.append({ kind: "unknown", operation, why });
      return "unknown";
    }
    // Nobody listened: nothing can have been stored.
    ledger.append({ kind: "not_stored", operation, code: why });
    return "not_stored";
  };

  return {
    nextOperation,
    expected: options.expected,
    publish,
    keepPublishing(lanes, publishOptions) {
      const ending = new AbortController();
      const lines = Array.from({ length: lanes }, async () => {
        while (!ending.signal.aborted) await publish(publishOptions);
      });
      return async () => {
        ending.abort();
        await Promise.all(lines);
      };
    },
  };
}

/** Everything that re-serialising would change: spaces, a long number, trailing zeros, order, escapes, a repeated key. */
export function eventBytes(operation: number, total: number): { body: string; tailHash: string } {
  const data =
    `{"object":{ "total":${total.toFixed(2)}, "z":1, "a":12345678901234567890, "operation":${operation},` +
    ` "note":"\\u0041\\/é", "twice":1, "twice":2.50e0}}`;
  const tail = `"data":${data}}`;
  return { body: `{"event":"invoice.paid",${tail}`, tailHash: createHash("sha256").update(tail).digest("hex") };
}

function parsed(text: string): { data?: { id?: string }; error?: { code?: string } } | null {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
