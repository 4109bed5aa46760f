// What a handler answers with, as values, and how they are written in the house style of the published contract.
// Must never put the text of an unexpected error into a body: it may hold a payload or a secret.
import { ERRORS, type ErrorBody, type ErrorCode, type ErrorDetail } from "@posthorn/contract";
import { isoTime } from "../lib/iso-time.ts";

export interface Success {
  readonly kind: "success";
  readonly status: 200 | 201 | 202;
  readonly data: unknown;
  /** Members added to `data` as JSON text, byte for byte: payloads are never re-serialised. */
  readonly rawMembers?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One page of a list, newest first. */
export interface Page {
  readonly kind: "page";
  readonly data: readonly unknown[];
  readonly pagination: Pagination;
}

export interface Pagination {
  readonly hasMore: boolean;
  /** Opaque; given back as `?cursor=` it continues where this page ended. */
  readonly nextCursor: string | null;
  readonly limit: number;
}

/** A refusal: the code decides status and default message (the table is in @posthorn/contract). */
export interface Failure {
  readonly kind: "failure";
  readonly code: ErrorCode;
  /** More precise than the code's own sentence. */
  readonly message?: string;
  readonly details?: readonly ErrorDetail[];
  readonly headers?: Readonly<Record<string, string>>;
}

export type Answer = Success | Page | Failure;

/** What every answer tells beside its data. */
export interface AnswerMeta {
  readonly requestId: string;
  readonly nowMs: number;
}

export function success(data: unknown, status: Success["status"] = 200): Success {
  return { kind: "success", status, data };
}

export function failure(code: ErrorCode, message?: string, details?: readonly ErrorDetail[]): Failure {
  return { kind: "failure", code, ...(message === undefined ? {} : { message }), ...(details ? { details } : {}) };
}

/**
 * A refusal for what is wrong with the fields of a request. When all details say the same and the table knows that
 * code, it is the answer's code too; otherwise VALIDATION_ERROR.
 */
export function fieldFailure(details: readonly ErrorDetail[]): Failure {
  const first = details[0]?.code;
  const same = first !== undefined && first in ERRORS && details.every((detail) => detail.code === first);
  const code = same ? (first as ErrorCode) : "VALIDATION_ERROR";
  const summary = details.map((detail) =>
    detail.field === undefined ? detail.message : `${detail.field}: ${detail.message}`,
  );
  return failure(code, `${ERRORS[code].message} ${summary.slice(0, 3).join(" ")}`, details);
}

/** Where an error code is explained, on this server. */
export function documentationPath(code: ErrorCode): string {
  return `/docs/errors#${code}`;
}

/** The data of a success as JSON text. */
export function dataJson(answer: Success): string {
  const text = JSON.stringify(answer.data);
  const members = Object.entries(answer.rawMembers ?? {}).map(([name, json]) => `,${JSON.stringify(name)}:${json}`);
  return members.length === 0 ? text : `${text.slice(0, -1)}${members.join("")}}`;
}

/** The success body around data that is JSON text already. */
export function successBody(json: string, meta: AnswerMeta): string {
  return `{"success":true,"data":${json},"meta":${metaJson(meta)}}`;
}

/** The body of a page. */
export function pageBody(page: Page, meta: AnswerMeta): string {
  return `{"success":true,"data":${JSON.stringify(page.data)},"pagination":${JSON.stringify(page.pagination)},"meta":${metaJson(meta)}}`;
}

/** The failure body; `documentation` is where the code is explained. */
export function failureBody(refusal: Failure, meta: AnswerMeta, documentation: string): string {
  const { requestId } = meta;
  const timestamp = isoTime(meta.nowMs);
  const body: ErrorBody = {
    success: false,
    error: {
      code: refusal.code,
      message: refusal.message ?? `${ERRORS[refusal.code].message} ${ERRORS[refusal.code].help}`,
      details: refusal.details ?? [],
      requestId,
      timestamp,
      documentation,
    },
    meta: { requestId, timestamp },
  };
  return JSON.stringify(body);
}

function metaJson(meta: AnswerMeta): string {
  return `{"requestId":"${meta.requestId}","timestamp":"${isoTime(meta.nowMs)}"}`;
}
