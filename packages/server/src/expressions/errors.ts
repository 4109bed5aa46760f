// What can be wrong with an expression when it is saved (ExpressionError) and while it runs (ExpressionFault).
// Codes are stable: they are shown to people and stored, never reuse or rename one.

export type ExpressionErrorCode =
  | "EMPTY_EXPRESSION"
  | "EXPRESSION_TOO_LONG"
  | "EXPRESSION_TOO_COMPLEX"
  | "EXPRESSION_TOO_DEEP"
  | "MACROS_TOO_DEEP"
  | "UNEXPECTED_CHARACTER"
  | "UNEXPECTED_TOKEN"
  | "UNTERMINATED_TEXT"
  | "INVALID_ESCAPE"
  | "INVALID_NUMBER"
  | "BYTES_NOT_SUPPORTED"
  | "RESERVED_WORD"
  | "COMPARISON_CHAINED"
  | "INVALID_KEY"
  | "DUPLICATE_KEY"
  | "UNKNOWN_FUNCTION"
  | "WRONG_CALL"
  | "INVALID_PATTERN"
  | "PATTERN_TOO_LARGE"
  | "EXPRESSION_NOT_CLOSED";

/** Why a text is not an expression. `position` is the 0-based offset in UTF-16 units of what the message is about. */
export interface ExpressionError {
  readonly code: ExpressionErrorCode;
  readonly message: string;
  readonly position: number;
  /** What to write instead, where we can tell. */
  readonly hint?: string;
}

/** Unwinds tokenizer, parser and compiler; `compileExpression` turns it into a result, so nobody else sees it. */
export class ExpressionProblem extends Error {
  readonly error: ExpressionError;

  constructor(code: ExpressionErrorCode, message: string, position: number, hint?: string) {
    super(message);
    this.error = hint === undefined ? { code, message, position } : { code, message, position, hint };
  }
}

export type ExpressionFaultCode =
  | "BUDGET_EXCEEDED"
  | "TEXT_TOO_LONG"
  | "NESTING_TOO_DEEP"
  | "PATTERN_TOO_LARGE"
  /** A template wrote more than a request body may hold. */
  | "BODY_TOO_LARGE"
  /** Something that must be there is not: `required`, or a value in the path of a URL. */
  | "VALUE_MISSING"
  /** A value that cannot stand where the template puts it: a list in a URL, a text that is too long for a header. */
  | "VALUE_UNFIT"
  | "EVALUATION_FAILED";

/**
 * Why an evaluation was stopped. A fault is no value: it can neither be caught nor compared inside an expression.
 * Not an Error, because nobody reads its stack and taking one costs more than most evaluations.
 */
export class ExpressionFault {
  readonly code: ExpressionFaultCode;
  readonly message: string;
  readonly cause: unknown;

  constructor(code: ExpressionFaultCode, message: string, cause?: unknown) {
    this.code = code;
    this.message = message;
    this.cause = cause;
  }
}
