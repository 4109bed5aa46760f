// Which spans there are: an event captured, its routing within, and each attempt to deliver it, whichever node makes it
// and however much later. Made only when a collector is set; a sender that does not record its trace makes none.
import { formatId, idFromUuid } from "@posthorn/contract";
import { isRecorded, spanIdOf, traceContextOf } from "../lib/trace-context.ts";
import type { Span } from "./spans.ts";

/** What is asked of an event. */
export interface TracedEvent {
  readonly idBytes: Uint8Array;
  readonly publicId: string;
  readonly type: string;
  readonly traceContext: string | null;
}

export interface TracedAttempt {
  readonly event: TracedEvent;
  readonly deliveryBytes: Uint8Array;
  readonly webhookId: string;
  readonly number: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly outcome: string;
  readonly method: string;
  readonly url: string;
  /** Null when nothing came back. */
  readonly status: number | null;
}

/** A URL was checked when its webhook was saved; parsing it again costs more than all the rest of a span. */
const HOST = /^https?:\/\/(?:[^/?#@]*@)?(\[[^\]]+\]|[^/:?#]+)/i;

export class Tracing {
  readonly #add: (span: Span) => void;

  constructor(add: (span: Span) => void) {
    this.#add = add;
  }

  /** @param capturedMs when it was committed */
  captured(event: TracedEvent, tenantUuid: string, takenMs: number, capturedMs: number, deliveries: number): void {
    const context = traceContextOf(event.traceContext, event.idBytes);
    if (!isRecorded(context)) return;
    this.#add({
      ...context,
      spanId: spanIdOf(event.idBytes),
      name: "capture",
      kind: "server",
      startMs: takenMs,
      endMs: capturedMs,
      attributes: {
        "posthorn.event": event.publicId,
        "posthorn.event_type": event.type,
        "posthorn.tenant": idFromUuid("tenant", tenantUuid),
        "posthorn.deliveries": deliveries,
      },
      error: null,
    });
  }

  routed(event: TracedEvent, startMs: number, endMs: number): void {
    const context = traceContextOf(event.traceContext, event.idBytes);
    if (!isRecorded(context)) return;
    this.#add({
      ...context,
      parentSpanId: spanIdOf(event.idBytes),
      // One more than the capture's: an event is routed once.
      spanId: spanIdOf(event.idBytes, 1),
      name: "route",
      kind: "internal",
      startMs,
      endMs,
      attributes: { "posthorn.event": event.publicId },
      error: null,
    });
  }

  attempted(attempt: TracedAttempt): void {
    const { event, deliveryBytes, url } = attempt;
    const context = traceContextOf(event.traceContext, event.idBytes);
    if (!isRecorded(context)) return;
    this.#add({
      ...context,
      parentSpanId: spanIdOf(event.idBytes),
      spanId: spanIdOf(deliveryBytes, attempt.number),
      name: "deliver",
      kind: "client",
      startMs: attempt.startMs,
      endMs: attempt.endMs,
      attributes: {
        "posthorn.event": event.publicId,
        "posthorn.event_type": event.type,
        "posthorn.delivery": formatId("delivery", deliveryBytes),
        "posthorn.webhook": attempt.webhookId,
        "posthorn.attempt": attempt.number,
        "posthorn.outcome": attempt.outcome,
        "http.request.method": attempt.method,
        "http.response.status_code": attempt.status,
        "server.address": HOST.exec(url)?.[1] ?? null,
      },
      error: attempt.outcome === "delivered" ? null : attempt.outcome,
    });
  }
}
