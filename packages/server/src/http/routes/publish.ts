// POST /events and POST /events/batch: bytes in, capture, answer. The hot path: no schema library, no re-serialising.
// Must never parse the payload, and must answer each item of a batch for itself.
import { CLOUD_EVENT_BATCH_TYPE, CLOUD_EVENT_TYPE, ERRORS, type ErrorCode } from "@posthorn/contract";
import type { ServerResponse } from "node:http";
import type { Admission, AdmissionControl } from "../../capture/admission.ts";
import type { Capture, Ending } from "../../capture/capture.ts";
import { fromBinary, fromStructured, isBinary } from "../../capture/cloud-event.ts";
import {
  type CaptureOutcome,
  type CaptureRefusal,
  checkIdempotencyKey,
  type EventAnswer,
} from "../../capture/outcomes.ts";
import { type ScanRefusal } from "../../capture/scan/refusals.ts";
import {
  type BatchItem,
  type ScannedBatch,
  scanBatch,
  scanCloudEventBatch,
  scanNdjson,
} from "../../capture/scan/scan-batch.ts";
import { scanEvent, type ScannedEvent } from "../../capture/scan/scan-event.ts";
import type { Clock } from "../../lib/clock.ts";
import { keptTraceContext } from "../../lib/trace-context.ts";
import { type Failure, failure, failureBody, successBody } from "../answer.ts";
import { answerNow } from "../answer-now.ts";
import type { Principal } from "../principal.ts";
import type { RawCall } from "../raw-call.ts";

export interface PublishOptions {
  readonly capture: Capture;
  readonly admission: AdmissionControl;
  readonly clock: Clock;
  /** Scans a large event away from the event loop; a 32 MiB body made to be slow takes a second. */
  readonly scanLarge: (body: Buffer, start: number, end: number) => Promise<ScannedEvent | ScanRefusal>;
  readonly scanLargeBatch: (body: Buffer, isNdjson: boolean) => Promise<ScannedBatch | ScanRefusal>;
  readonly documentationUrl: (code: ErrorCode) => string;
  /** False while shutting down. */
  readonly isOpen: () => boolean;
}

/** A single event: 10 MiB of data, its context and the members around them. */
export const EVENT_BODY_LIMIT_BYTES = 11 * 1024 * 1024;
export const BATCH_BODY_LIMIT_BYTES = 32 * 1024 * 1024;

/** What a whole batch can be refused for; its events are refused one by one, inside a 202. */
export const BATCH_ERRORS = [
  "INVALID_JSON",
  "INVALID_UTF8",
  "JSON_TOO_DEEP",
  "EMPTY_BODY",
  "NOT_AN_OBJECT",
  "UNKNOWN_FIELD",
  "MISSING_MEMBER",
  "WRONG_TYPE",
  "DUPLICATE_MEMBER",
  "EMPTY_BATCH",
  "TOO_MANY_EVENTS",
  "VALIDATION_ERROR",
  "RATE_LIMITED",
  "OVERLOADED",
  "SHUTTING_DOWN",
] as const satisfies readonly ErrorCode[];

export const PUBLISH_ERRORS = [
  "INVALID_JSON",
  "INVALID_UTF8",
  "JSON_TOO_DEEP",
  "EMPTY_BODY",
  "NOT_AN_OBJECT",
  "UNKNOWN_FIELD",
  "FIELD_NOT_AVAILABLE_YET",
  "MISSING_MEMBER",
  "WRONG_TYPE",
  "DUPLICATE_MEMBER",
  "VALIDATION_ERROR",
  "UNKNOWN_EVENT_TYPE",
  "IDEMPOTENCY_KEY_REUSED",
  "EVENT_ID_TAKEN",
  "EVENT_REFUSED_BY_STORAGE",
  "RATE_LIMITED",
  "OVERLOADED",
  "SHUTTING_DOWN",
] as const satisfies readonly ErrorCode[];

/** Above this a scan takes longer than a millisecond, which every other request would wait for. */
const LARGE_BYTES = 256 * 1024;
const NDJSON = "application/x-ndjson";

/** An item of a batch of CloudEvents: as capture takes it, or why it is not one. */
type CloudItem = BatchItem | ScanRefusal;

/** The two handlers and the question asked before a body is read. */
export function publishHandlers(options: PublishOptions) {
  const { capture, admission, clock } = options;

  const answerFailure = (call: RawCall, refusal: Failure): void => {
    const meta = { requestId: call.requestId, nowMs: clock.nowMs() };
    const headers = Object.entries(refusal.headers ?? {}).flat();
    const body = failureBody(refusal, meta, options.documentationUrl(refusal.code));
    answerNow(call, ERRORS[refusal.code].status, body, headers);
  };

  const scan = (
    body: Buffer,
    start: number,
    end: number,
  ): ScannedEvent | ScanRefusal | Promise<ScannedEvent | ScanRefusal> =>
    end - start > LARGE_BYTES ? options.scanLarge(body, start, end) : scanEvent(body, start, end);

  const splitBatch = (
    body: Buffer,
    isNdjson: boolean,
  ): ScannedBatch | ScanRefusal | Promise<ScannedBatch | ScanRefusal> =>
    body.length > LARGE_BYTES ? options.scanLargeBatch(body, isNdjson) : isNdjson ? scanNdjson(body) : scanBatch(body);

  /** All items of a batch, each with its outcome in its place. One promise for all of them. */
  const captureAll = (
    principal: Principal,
    body: Buffer,
    items: readonly CloudItem[],
    idempotencyKey: string | null,
    traceContext: string | null,
  ): Promise<ItemOutcome[]> =>
    new Promise((resolve, reject) => {
      const outcomes = new Array<ItemOutcome>(items.length);
      let openCount = items.length;
      const settle = (index: number, outcome: ItemOutcome): void => {
        outcomes[index] = outcome;
        openCount -= 1;
        if (openCount === 0) resolve(outcomes);
      };
      const take = (item: BatchItem, index: number, scanned: ScannedEvent | ScanRefusal): void => {
        if (scanned.kind === "refused") {
          settle(index, { failure: failureOfScan(scanned) });
          return;
        }
        const key = idempotencyKey === null ? null : `${idempotencyKey}#${index}`;
        const ending = { resolve: (outcome: CaptureOutcome) => settle(index, itemOutcomeOf(outcome)), reject };
        capture.take(principal, body, item, scanned, key, ending, traceContext);
      };
      for (const [index, item] of items.entries()) {
        if ("kind" in item) {
          settle(index, { failure: failureOfScan(item) });
          continue;
        }
        const scanning = scan(body, item.start, item.end);
        if (scanning instanceof Promise) scanning.then((scanned) => take(item, index, scanned)).catch(reject);
        else take(item, index, scanning);
      }
    });

  const answerOne = (call: RawCall, outcome: CaptureOutcome): void => {
    switch (outcome.outcome) {
      case "accepted":
      case "replayed": {
        const meta = { requestId: call.requestId, nowMs: clock.nowMs() };
        const replayed = outcome.outcome === "replayed" ? ["idempotency-replayed", "true"] : undefined;
        return answerNow(call, 202, successBody(answerJson(outcome.answer), meta), replayed);
      }
      case "refused":
      case "unavailable":
        return answerFailure(call, failureOfOutcome(outcome));
      default:
        return outcome satisfies never;
    }
  };

  /** No promise on this way: capture tells the outcome, and whatever goes wrong then is this request's alone. */
  const captureOne = (principal: Principal, body: Buffer, call: RawCall, scanned: ScannedEvent | ScanRefusal): void => {
    if (scanned.kind === "refused") return answerFailure(call, failureOfScan(scanned));
    const key = call.headers["idempotency-key"];
    const keyRefusal = checkIdempotencyKey(key);
    if (keyRefusal !== null) return answerFailure(call, failureOfOutcome(keyRefusal));
    const frame = { start: 0, end: body.length };
    const ending: Ending = {
      resolve(outcome) {
        try {
          answerOne(call, outcome);
        } catch (error) {
          call.fail(error);
        }
      },
      reject: (error) => call.fail(error),
    };
    const idempotencyKey = typeof key === "string" ? key : null;
    capture.take(principal, body, frame, scanned, idempotencyKey, ending, traceContextOf(call));
  };

  return {
    admit(limitBytes: number) {
      return (principal: Principal, contentLength: number, response: ServerResponse): Failure | null => {
        if (!options.isOpen()) return withRetryAfter(failure("SHUTTING_DOWN"), 1);
        const byteLength = contentLength >= 0 ? Math.min(contentLength, limitBytes) : limitBytes;
        const admitted = admission.reserve(principal.tenantId, byteLength);
        if (admitted.outcome !== "admitted") return refusalOf(admitted);
        response.once("close", () => admission.release(principal.tenantId, byteLength));
        return null;
      };
    },

    event(principal: Principal, sent: Buffer, call: RawCall): void | Promise<void> {
      const limited = admission.countEvents(principal, 1);
      if (limited.outcome !== "admitted") return answerFailure(call, refusalOf(limited));
      const body = ownForm(call, sent);
      if ("kind" in body) return answerFailure(call, failureOfScan(body));
      const scanning = scan(body, 0, body.length);
      if (scanning instanceof Promise) return scanning.then((scanned) => captureOne(principal, body, call, scanned));
      captureOne(principal, body, call, scanning);
    },

    async batch(principal: Principal, sent: Buffer, call: RawCall): Promise<void> {
      const type = call.headers["content-type"]?.trim().toLowerCase() ?? "";
      const isOfCloudEvents = type.startsWith(CLOUD_EVENT_BATCH_TYPE);
      const batch = isOfCloudEvents ? scanCloudEventBatch(sent) : await splitBatch(sent, type.startsWith(NDJSON));
      if (batch.kind === "refused") return answerFailure(call, failureOfScan(batch));
      const { body, items } = isOfCloudEvents ? ownBatch(sent, batch.items) : { body: sent, items: batch.items };
      const limited = admission.countEvents(principal, batch.items.length);
      if (limited.outcome !== "admitted") return answerFailure(call, refusalOf(limited));
      const header = call.headers["idempotency-key"];
      const keyRefusal = checkIdempotencyKey(header);
      if (keyRefusal !== null) return answerFailure(call, failureOfOutcome(keyRefusal));
      const idempotencyKey = typeof header === "string" ? header : null;
      const outcomes = await captureAll(principal, body, items, idempotencyKey, traceContextOf(call));
      const first = outcomes[0];
      if (
        first !== undefined &&
        "failure" in first &&
        outcomes.every((each) => "failure" in each && each.unavailable)
      ) {
        return answerFailure(call, first.failure);
      }
      const results = outcomes.map(itemJson).join(",");
      const meta = { requestId: call.requestId, nowMs: clock.nowMs() };
      answerNow(call, 202, successBody(`{"results":[${results}]}`, meta));
    },
  };
}

/** The body as capture takes it: what it is already, unless it is a CloudEvent. */
function ownForm({ headers }: RawCall, body: Buffer): Buffer | ScanRefusal {
  const type = headers["content-type"];
  // Nearly everybody sends exactly this, and nothing else is looked at then.
  const isPlain = type === undefined || type === "application/json";
  if (!isPlain && type.trim().toLowerCase().startsWith(CLOUD_EVENT_TYPE)) return fromStructured(body);
  return isBinary(headers) ? fromBinary(headers, body) : body;
}

/** All items of a batch of CloudEvents in one body, each with its place in it. */
function ownBatch(sent: Buffer, items: readonly BatchItem[]): { body: Buffer; items: CloudItem[] } {
  const parts: Buffer[] = [];
  let length = 0;
  const placed = items.map(({ start, end }): CloudItem => {
    const event = fromStructured(sent, start, end);
    if ("kind" in event) return event;
    parts.push(event);
    length += event.length;
    return { start: length - event.length, end: length };
  });
  return { body: Buffer.concat(parts), items: placed };
}

/** A request's place in its sender's trace; events of one batch share it. */
function traceContextOf({ headers }: RawCall): string | null {
  const { traceparent, tracestate } = headers;
  return traceparent === undefined ? null : keptTraceContext(traceparent, tracestate);
}

type ItemOutcome =
  | Exclude<CaptureOutcome, CaptureRefusal>
  | { readonly failure: Failure; readonly unavailable?: boolean };

function itemOutcomeOf(outcome: CaptureOutcome): ItemOutcome {
  if (outcome.outcome === "accepted" || outcome.outcome === "replayed") return outcome;
  return { failure: failureOfOutcome(outcome), unavailable: outcome.outcome === "unavailable" };
}

// Every text in here is an id, a checked event type or an ISO time: nothing that JSON would have to escape.
function answerJson(answer: EventAnswer): string {
  return `{"id":"${answer.id}","event":"${answer.event}","timestamp":"${answer.timestamp}","livemode":${answer.livemode},"deliveries":${answer.deliveries}}`;
}

function itemJson(outcome: ItemOutcome, index: number): string {
  if ("failure" in outcome) {
    const { code, message, details } = outcome.failure;
    const error = {
      code,
      message: message ?? ERRORS[code].message,
      details: details ?? [],
      retryable: ERRORS[code].retryable,
    };
    return JSON.stringify({ index, status: "refused", error });
  }
  const status = outcome.outcome === "accepted" ? "accepted" : "duplicate";
  return `{"index":${index},"status":"${status}","id":"${outcome.answer.id}","deliveries":${outcome.answer.deliveries}}`;
}

function failureOfScan(refusal: ScanRefusal): Failure {
  const codeOf = (code: ScanRefusal["code"]): ErrorCode => (code === "UNKNOWN_MEMBER" ? "UNKNOWN_FIELD" : code);
  return failure(
    codeOf(refusal.code),
    refusal.message,
    refusal.details.map((detail) => ({ ...detail, code: codeOf(detail.code) })),
  );
}

function failureOfOutcome(outcome: CaptureRefusal): Failure {
  const refusal = failure(outcome.code, outcome.message === "" ? undefined : outcome.message, outcome.details);
  return outcome.outcome === "unavailable" ? withRetryAfter(refusal, 1) : refusal;
}

function refusalOf(admission: Exclude<Admission, { outcome: "admitted" }>): Failure {
  const refusal =
    admission.outcome === "overloaded"
      ? failure("OVERLOADED")
      : failure(
          "RATE_LIMITED",
          `Over the limit of ${admission.what}. Wait ${admission.retryAfterSeconds} s, then repeat.`,
        );
  return withRetryAfter(refusal, admission.retryAfterSeconds);
}

function withRetryAfter(refusal: Failure, seconds: number): Failure {
  return { ...refusal, headers: { "retry-after": String(seconds) } };
}
