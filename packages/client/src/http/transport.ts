// Sends requests and reads answers, again where that is safe: the same bytes every time, within one deadline.
// Must never put the key anywhere but into the Authorization header of its own server.
import type { ErrorBody } from "@posthorn/contract";
import { errorOfAnswer, InvalidArgument, PosthornError, TimedOut, UnexpectedAnswer } from "../errors.ts";
import type { CheckedOptions } from "../options.ts";
import { connectionFailure } from "./failures.ts";
import { mayRepeat, nextDelayMs, type Repeatable, secondsOfRetryAfter } from "./retry.ts";

/** What every call of the SDK takes. */
export interface CallOptions {
  /** Ends the call, retries included; it rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Milliseconds for one try, instead of the client's. */
  readonly timeoutMs?: number;
}

export interface ApiRequest extends CallOptions {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Below /v1, ids escaped: see `pathOf`. */
  readonly path: string;
  readonly query?: Query | undefined;
  /** JSON bytes, sent as they are. */
  readonly body?: Uint8Array<ArrayBuffer> | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly repeatable: Repeatable;
}

/** Query parameters; absent ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | Date | null | undefined>>;

export interface ApiAnswer {
  readonly data: unknown;
  readonly pagination: unknown;
  readonly requestId: string;
  readonly etag: string | null;
  /** True when the answer is the first one again (`Idempotency-Replayed`). */
  readonly replayed: boolean;
}

/** Asks Posthorn. One for each client. */
export class Transport {
  readonly #options: CheckedOptions;

  constructor(options: CheckedOptions) {
    this.#options = options;
  }

  get origin(): string {
    return this.#options.origin;
  }

  /** A new idempotency key. */
  newKey(): string {
    return this.#options.runtime.newKey();
  }

  /**
   * Sends a request, again where that is safe, and resolves with the data of its success.
   * @throws PosthornError, or the reason of `signal`
   */
  async send(request: ApiRequest): Promise<ApiAnswer> {
    const pacer = this.#pacer(request.signal);
    for (;;) {
      request.signal?.throwIfAborted();
      try {
        return await this.#try(request);
      } catch (error) {
        if (!(error instanceof PosthornError)) throw error;
        error.tries = pacer.tries();
        if (!mayRepeat(error, request.repeatable)) throw error;
        if (!(await pacer.waitedFor(error.retryAfterSeconds))) throw error;
      }
    }
  }

  /** Does something again, with the same patience, while it asks for it; resolves with the last value. */
  async repeat<Value>(
    work: () => Promise<{ readonly value: Value; readonly again: boolean }>,
    signal: AbortSignal | undefined,
  ): Promise<Value> {
    const pacer = this.#pacer(signal);
    for (;;) {
      const { value, again } = await work();
      if (!again || !(await pacer.waitedFor(null))) return value;
    }
  }

  /** Counts the tries of one call and waits between them, until its patience ends. */
  #pacer(signal: AbortSignal | undefined) {
    const { runtime, retry } = this.#options;
    const startedAtMs = runtime.monotonicMs();
    let tries = 1;
    return {
      tries: (): number => tries,
      /** False when there is no further try. */
      waitedFor: async (retryAfterSeconds: number | null): Promise<boolean> => {
        const elapsedMs = runtime.monotonicMs() - startedAtMs;
        const delayMs = nextDelayMs(retry, tries, elapsedMs, retryAfterSeconds, runtime.random());
        if (delayMs === null) return false;
        tries += 1;
        await runtime.sleep(delayMs, signal);
        return true;
      },
    };
  }

  async #try(request: ApiRequest): Promise<ApiAnswer> {
    const { origin } = this.#options;
    const timeoutMs = request.timeoutMs ?? this.#options.timeoutMs;
    const timeout = AbortSignal.timeout(timeoutMs);
    let response: Response;
    let text: string;
    try {
      response = await this.#options.fetch(`${origin}/v1${request.path}${queryText(request.query)}`, {
        method: request.method,
        headers: this.#headers(request),
        ...(request.body === undefined ? {} : { body: request.body }),
        // A redirect would hide a wrong address, and could carry a body to somewhere else.
        redirect: "manual",
        signal: request.signal === undefined ? timeout : AbortSignal.any([request.signal, timeout]),
      });
      text = await response.text();
    } catch (error) {
      request.signal?.throwIfAborted();
      if (timeout.aborted) throw new TimedOut(`${origin} did not answer within ${timeoutMs} ms.`);
      throw connectionFailure(error, origin);
    }
    return this.#read(response, text);
  }

  #headers(request: ApiRequest): Record<string, string> {
    const { apiKey, companyId, userAgent } = this.#options;
    return {
      accept: "application/json",
      authorization: `Bearer ${apiKey}`,
      "user-agent": userAgent,
      ...(companyId === undefined ? {} : { "x-company-id": companyId }),
      ...(request.body === undefined ? {} : { "content-type": "application/json" }),
      ...request.headers,
    };
  }

  #read(response: Response, text: string): ApiAnswer {
    const { origin, runtime } = this.#options;
    const body = parseObject(text);
    if (response.ok && body?.["success"] === true) {
      const meta = (body["meta"] ?? {}) as { requestId?: string };
      return {
        data: body["data"],
        pagination: body["pagination"],
        requestId: meta.requestId ?? "",
        etag: response.headers.get("etag"),
        replayed: response.headers.get("idempotency-replayed") === "true",
      };
    }
    const retryAfter = secondsOfRetryAfter(response.headers.get("retry-after"), runtime.nowMs());
    if (body !== null && typeof (body["error"] as { code?: unknown } | null | undefined)?.code === "string") {
      const answer = { status: response.status, retryAfterSeconds: retryAfter, origin };
      throw errorOfAnswer(body as unknown as ErrorBody, answer);
    }
    throw strangeAnswer(response, origin, retryAfter);
  }
}

/** Not Posthorn's words: a proxy, another program, a page to log in. */
function strangeAnswer(response: Response, origin: string, retryAfter: number | null): PosthornError {
  const { status } = response;
  const location = response.headers.get("location");
  if (location !== null && status >= 300 && status < 400) {
    return new UnexpectedAnswer(`${origin} answered ${status} and points elsewhere. Is this Posthorn's address?`, {
      status,
    });
  }
  const kind = response.headers.get("content-type")?.split(";", 1)[0] ?? "no content type";
  return new UnexpectedAnswer(
    `${origin} answered ${status} (${kind}), which is not an answer of Posthorn. Is this its address?`,
    { status, retryAfterSeconds: retryAfter },
  );
}

function parseObject(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function queryText(query: Query | undefined): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === undefined || value === null) continue;
    parameters.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  return parameters.size === 0 ? "" : `?${parameters.toString()}`;
}

/**
 * A path with ids in it: ``pathOf`/webhooks/${id}` ``.
 * @throws InvalidArgument for an id that is no text, or is empty: it would lead to another route
 */
export function pathOf(parts: TemplateStringsArray, ...ids: string[]): string {
  return parts.reduce((path, part, index) => path + encodeId(ids[index - 1]) + part);
}

function encodeId(id: unknown): string {
  if (typeof id !== "string" || id === "" || id === "." || id === "..") {
    throw new InvalidArgument("id: expected the text of an id, such as webhook_01JD….");
  }
  return encodeURIComponent(id);
}

const encoder = new TextEncoder();

/**
 * A value as the JSON bytes of a body.
 * @throws InvalidArgument for what JSON cannot hold (a bigint, a cycle, undefined)
 */
export function jsonBytes(value: unknown): Uint8Array<ArrayBuffer> {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw new InvalidArgument(`The body cannot be written as JSON: ${(error as Error).message.split("\n", 1)[0]}`);
  }
  if (text === undefined) throw new InvalidArgument("The body cannot be written as JSON.");
  return encoder.encode(text);
}
