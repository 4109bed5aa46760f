// What a client is made with, checked once: a mistake shows at the start and not at the first event.
// Must never repeat the key in a message.
import { InvalidArgument } from "./errors.ts";
import { RETRY_DEFAULTS, type RetryOptions } from "./http/retry.ts";

export interface PosthornOptions {
  /** Where Posthorn serves: `https://events.example.com`, without `/v1`. */
  readonly url: string;
  /** `blg_live_sk_…`, or `blg_test_sk_…` for the sandbox. */
  readonly apiKey: string;
  /** `company_…`: the company inside the tenant that requests are about. */
  readonly companyId?: string;
  /** Milliseconds for one try, from the connection to the last byte of the answer; 30,000 unless given. */
  readonly timeoutMs?: number;
  /** How patiently requests are repeated; `false` sends each one once. */
  readonly retry?: Partial<RetryOptions> | false;
  /** Another fetch than the global one. */
  readonly fetch?: typeof fetch;
  /** Added to the user agent, so that the operator sees who asks: `erp/2.1`. */
  readonly userAgent?: string;
  /** Time and chance, for tests. */
  readonly runtime?: Partial<Runtime>;
}

/** Time and chance as the SDK uses them. */
export interface Runtime {
  /** Wall clock, milliseconds since 1970. */
  readonly nowMs: () => number;
  /** Milliseconds of a clock that never goes back. */
  readonly monotonicMs: () => number;
  /** From 0 up to, not including, 1. */
  readonly random: () => number;
  /** A new idempotency key. */
  readonly newKey: () => string;
  /** Waits; rejects with the signal's reason when that is aborted. */
  readonly sleep: (delayMs: number, signal: AbortSignal | undefined) => Promise<void>;
}

export interface CheckedOptions {
  /** Without a slash at its end. */
  readonly origin: string;
  readonly apiKey: string;
  readonly companyId: string | undefined;
  readonly timeoutMs: number;
  readonly retry: RetryOptions;
  readonly fetch: typeof fetch;
  readonly userAgent: string;
  readonly runtime: Runtime;
}

const KEY = /^[\x21-\x7e]{20,512}$/;
const HEADER_TEXT = /^[\x20-\x7e]{1,200}$/;
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * Checks what a client is made with.
 * @throws InvalidArgument that names the option
 */
export function checkOptions(options: PosthornOptions, version: string): CheckedOptions {
  const { apiKey, companyId, timeoutMs = 30_000, userAgent } = options;
  if (typeof apiKey !== "string" || !KEY.test(apiKey)) {
    throw new InvalidArgument(
      `apiKey: expected an API key (20 to 512 characters without blanks); got ${shapeOf(apiKey)}.`,
    );
  }
  if (companyId !== undefined && (typeof companyId !== "string" || !HEADER_TEXT.test(companyId))) {
    throw new InvalidArgument("companyId: expected text such as company_default.");
  }
  checkPositive("timeoutMs", timeoutMs);
  if (userAgent !== undefined && !HEADER_TEXT.test(userAgent)) {
    throw new InvalidArgument("userAgent: expected 1 to 200 printable ASCII characters.");
  }
  const ownFetch = options.fetch ?? globalThis.fetch;
  if (typeof ownFetch !== "function") {
    throw new InvalidArgument("fetch: this runtime has none (Node.js has from 18 on); give one as an option.");
  }
  return {
    origin: checkUrl(options.url),
    apiKey,
    companyId,
    timeoutMs,
    retry: checkRetry(options.retry),
    // Browsers refuse a fetch that is called as a method of something else.
    fetch: (input, init) => ownFetch(input, init),
    userAgent: `posthorn-client/${version}${userAgent === undefined ? "" : ` ${userAgent}`}`,
    runtime: { ...REAL, ...options.runtime },
  };
}

function checkUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InvalidArgument("url: expected an address such as https://events.example.com or http://127.0.0.1:8420.");
  }
  if (url.protocol !== "https:" && url.protocol !== "http:") {
    throw new InvalidArgument(`url: expected https:// (or http://), got ${url.protocol}//.`);
  }
  if (url.username !== "" || url.password !== "") {
    throw new InvalidArgument("url: holds a user name or password; give the API key as `apiKey`.");
  }
  if (url.search !== "" || url.hash !== "") throw new InvalidArgument("url: expected no query and no fragment.");
  const path = url.pathname.replace(/\/+$/, "");
  if (path.endsWith("/v1")) throw new InvalidArgument("url: leave out /v1, it is added.");
  return url.origin + path;
}

function checkRetry(retry: PosthornOptions["retry"]): RetryOptions {
  if (retry === false) return { ...RETRY_DEFAULTS, maxTries: 1 };
  const whole = { ...RETRY_DEFAULTS, ...retry };
  for (const [name, value] of Object.entries(whole)) checkPositive(`retry.${name}`, value);
  if (!Number.isInteger(whole.maxTries)) throw new InvalidArgument("retry.maxTries: expected a whole number.");
  return whole;
}

function checkPositive(name: string, value: number): void {
  if (typeof value !== "number" || !(value > 0) || value > MAX_TIMER_MS) {
    throw new InvalidArgument(`${name}: expected a number above 0, got ${shapeOf(value)}.`);
  }
}

/** Enough to see the mistake, too little to hold a secret. */
function shapeOf(value: unknown): string {
  if (typeof value === "string") return value === "" ? "an empty text" : `a text of ${value.length} characters`;
  return typeof value === "number" ? String(value) : value === null ? "null" : typeof value;
}

const REAL: Runtime = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  random: () => Math.random(),
  newKey: () => globalThis.crypto.randomUUID(),
  sleep: (delayMs, signal) =>
    new Promise((resolve, reject) => {
      const onAbort = (): void => {
        clearTimeout(timer);
        reject(signal?.reason as Error);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", onAbort);
        resolve();
      }, delayMs);
      if (signal?.aborted === true) onAbort();
      else signal?.addEventListener("abort", onAbort, { once: true });
    }),
};
