// How a command ends: exit codes that scripts can rely on, and the failures that lead to them.
// Must never print a stack for something that a person can put right.
import { ConnectionFailed, InvalidArgument, isPosthornError, TimedOut } from "@posthorn/client";

/** What scripts see. */
export const EXIT = {
  ok: 0,
  /** The server refused, or what was asked did not succeed. */
  failed: 1,
  /** The command was called wrongly, or what it was given cannot be used. */
  usage: 2,
  /** No answer of a server. */
  unreachable: 3,
  /** `apply --dry-run --detailed-exitcode`: applying would change something. */
  wouldChange: 4,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** A failure with a code for scripts, a sentence, and what to do about it. */
export class CommandFailure extends Error {
  readonly code: string;
  readonly hint: string | null;
  readonly exitCode: ExitCode;

  constructor(code: string, message: string, options: { readonly hint?: string; readonly exitCode?: ExitCode } = {}) {
    super(message);
    this.name = "CommandFailure";
    this.code = code;
    this.hint = options.hint ?? null;
    this.exitCode = options.exitCode ?? EXIT.failed;
  }
}

/** Something that was given cannot be used; nothing was done. */
export function usageFailure(message: string, hint?: string): CommandFailure {
  return new CommandFailure("INVALID_USAGE", message, {
    exitCode: EXIT.usage,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** What is told of a failure. */
export interface ToldFailure {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
  readonly details: readonly { readonly field?: string; readonly message: string; readonly code: string }[];
  readonly requestId: string | null;
  readonly documentation: string | null;
  readonly exitCode: ExitCode;
}

/** A failure that a person can do something about, or null for a mistake of ours. */
export function toldFailure(error: unknown): ToldFailure | null {
  const nothing = { hint: null, details: [], requestId: null, documentation: null };
  if (error instanceof CommandFailure) {
    const { code, message, hint, exitCode } = error;
    return { ...nothing, code, message, hint, exitCode };
  }
  if (error instanceof InvalidArgument) {
    return { ...nothing, code: error.code, message: error.message, exitCode: EXIT.usage };
  }
  if (error instanceof ConnectionFailed || error instanceof TimedOut) {
    const hint = "Check --url or POSTHORN_URL, and that the server runs.";
    return { ...nothing, code: error.code, message: error.message, hint, exitCode: EXIT.unreachable };
  }
  if (isPosthornError(error)) {
    const { code, message, details, requestId, documentation } = error;
    const exitCode = code === "UNEXPECTED_ANSWER" ? EXIT.unreachable : EXIT.failed;
    return { ...nothing, code, message, details, requestId, documentation, exitCode };
  }
  return null;
}
