// What the SDK throws: one class for each code of the contract's table of errors, and three for what happens on the
// way. Must never hold the API key or a payload, in any member, message or inspection.
import { ERRORS, type ErrorBody, type ErrorCode, type ErrorDetail } from "@posthorn/contract";

/** What happens between this program and Posthorn, where no answer could be read. */
export type ClientCode = "CONNECTION_FAILED" | "TIMED_OUT" | "UNEXPECTED_ANSWER" | "INVALID_ARGUMENT";

/** Any code that an error can carry. Newer servers may send others: then `code` is their text. */
export type AnyCode = ErrorCode | ClientCode;

export interface ErrorParts {
  readonly code: string;
  readonly message: string;
  /** HTTP status, or null when there was no answer. */
  readonly status?: number | null;
  readonly requestId?: string | null;
  readonly details?: readonly ErrorDetail[];
  /** Where the code is explained. */
  readonly documentation?: string | null;
  /** Seconds that the server asked to wait. */
  readonly retryAfterSeconds?: number | null;
}

/** Everything that the SDK throws on purpose. Decide by `code`, or with `isPosthornError(error, "NOT_FOUND")`. */
export class PosthornError<Code extends string = string> extends Error {
  readonly code: Code;
  readonly status: number | null;
  /** Tell it to the operator: it stands in the log of the server. */
  readonly requestId: string | null;
  /** One entry for each field concerned. */
  readonly details: readonly ErrorDetail[];
  readonly documentation: string | null;
  readonly retryAfterSeconds: number | null;
  /** How often the request was sent. */
  tries: number;

  constructor(parts: ErrorParts & { readonly code: Code }, options?: ErrorOptions) {
    super(parts.message, options);
    this.name = "PosthornError";
    this.code = parts.code;
    this.status = parts.status ?? null;
    this.requestId = parts.requestId ?? null;
    this.details = parts.details ?? [];
    this.documentation = parts.documentation ?? null;
    this.retryAfterSeconds = parts.retryAfterSeconds ?? null;
    this.tries = 1;
  }

  /** True when the same request may succeed later, unchanged. */
  get retryable(): boolean {
    if (this.code in ERRORS) return ERRORS[this.code as ErrorCode].retryable;
    return this.code === "CONNECTION_FAILED" || this.code === "TIMED_OUT";
  }
}

/** No connection, or it broke before the answer was complete. Whether the server did the work is not known. */
export class ConnectionFailed extends PosthornError<"CONNECTION_FAILED"> {
  /** What the system calls it, `ECONNREFUSED`; null where the runtime does not say (browsers). */
  readonly reason: string | null;
  /** True when nothing of the request can have reached the server. */
  readonly nothingSent: boolean;

  constructor(message: string, parts: { readonly reason: string | null; readonly nothingSent: boolean }) {
    super({ code: "CONNECTION_FAILED", message });
    this.name = "ConnectionFailed";
    this.reason = parts.reason;
    this.nothingSent = parts.nothingSent;
  }
}

/** No complete answer within the time given. Whether the server did the work is not known. */
export class TimedOut extends PosthornError<"TIMED_OUT"> {
  constructor(message: string) {
    super({ code: "TIMED_OUT", message });
    this.name = "TimedOut";
  }
}

/** Something answered that is not Posthorn: a proxy, another program, a redirect. */
export class UnexpectedAnswer extends PosthornError<"UNEXPECTED_ANSWER"> {
  constructor(message: string, parts: { readonly status: number; readonly retryAfterSeconds?: number | null }) {
    super({ code: "UNEXPECTED_ANSWER", message, ...parts });
    this.name = "UnexpectedAnswer";
  }
}

/** A value that this program gave to the SDK cannot be used; nothing was sent. */
export class InvalidArgument extends PosthornError<"INVALID_ARGUMENT"> {
  constructor(message: string) {
    super({ code: "INVALID_ARGUMENT", message });
    this.name = "InvalidArgument";
  }
}

type PascalCase<Text extends string> = Text extends `${infer First}_${infer Rest}`
  ? `${Capitalize<Lowercase<First>>}${PascalCase<Rest>}`
  : Capitalize<Lowercase<Text>>;

type ErrorClass<Code extends ErrorCode> = new (
  parts: ErrorParts & { readonly code: Code },
  options?: ErrorOptions,
) => PosthornError<Code>;

type ErrorClasses = { readonly [Code in ErrorCode as PascalCase<Code>]: ErrorClass<Code> };

const classOfCode = new Map<string, ErrorClass<ErrorCode>>();

/** `RATE_LIMITED` → `RateLimited`. */
function classNameOf(code: string): string {
  return code
    .split("_")
    .map((word) => word.slice(0, 1) + word.slice(1).toLowerCase())
    .join("");
}

function makeErrorClasses(): ErrorClasses {
  const classes: Record<string, ErrorClass<ErrorCode>> = {};
  for (const code of Object.keys(ERRORS) as ErrorCode[]) {
    const name = classNameOf(code);
    const made = class extends PosthornError<ErrorCode> {
      constructor(parts: ErrorParts & { readonly code: ErrorCode }, options?: ErrorOptions) {
        super(parts, options);
        this.name = name;
      }
    };
    Object.defineProperty(made, "name", { value: name });
    classes[name] = made;
    classOfCode.set(code, made);
  }
  return classes as unknown as ErrorClasses;
}

/** One class for each code of the contract: `error instanceof errors.RateLimited`. */
export const errors: ErrorClasses = makeErrorClasses();

/**
 * True for what the SDK throws on purpose, and with codes only for those.
 * @example if (isPosthornError(error, "VALIDATION_ERROR")) console.log(error.details)
 */
export function isPosthornError(error: unknown): error is PosthornError;
export function isPosthornError<Code extends AnyCode>(error: unknown, ...codes: Code[]): error is PosthornError<Code>;
export function isPosthornError(error: unknown, ...codes: string[]): boolean {
  return error instanceof PosthornError && (codes.length === 0 || codes.includes(error.code));
}

/** The error of a failure answer, as an object of its code's class. */
export function errorOfAnswer(
  body: ErrorBody,
  answer: { readonly status: number; readonly retryAfterSeconds: number | null; readonly origin: string },
): PosthornError {
  const { code, message, details, requestId, documentation } = body.error;
  const Class: new (parts: ErrorParts & { readonly code: ErrorCode }) => PosthornError =
    classOfCode.get(code) ?? PosthornError;
  return new Class({
    code,
    message,
    status: answer.status,
    requestId,
    details: details ?? [],
    // The server answers with a path of its own.
    documentation: documentation?.startsWith("/") ? answer.origin + documentation : (documentation ?? null),
    retryAfterSeconds: answer.retryAfterSeconds,
  });
}
