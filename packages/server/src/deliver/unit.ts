// Sends one unit: builds its body, seals it, sends it, and says how that ended. A unit is what goes out as one request:
// a delivery, or a stored batch. Must decide nothing about deliveries, and must start no request without a lease.
import { formatId } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import { traceContextOf, traceHeaders } from "../lib/trace-context.ts";
import type { AddressList } from "../security/addresses/address-list.ts";
import type { SendResult } from "../security/outbound/result.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { hasResponseRules, JUDGED_BODY_BYTES } from "./judge.ts";
import type { Startable } from "./gather/startable.ts";
import type { Entry, WebhookQueue } from "./queue.ts";
import type { Bodies } from "./render.ts";
import type { Body } from "./renderer.ts";
import type { SendableBody } from "./report.ts";
import {
  type AttemptIdentity,
  batchNames,
  envelopeOf,
  type PreparedWebhook,
  requestHeaders,
  sealNow,
  sealParts,
} from "./request.ts";
import type { Seal, SealPart } from "./seal.ts";

/** One request under way: the deliveries in it, and what was fixed when it started. */
export interface Unit extends Startable {
  readonly queue: WebhookQueue;
  readonly prepared: PreparedWebhook;
  readonly identity: AttemptIdentity;
  readonly startedAtMs: number;
}

/** The request went out, or was tried: whatever came back is a value. */
export interface Sent {
  readonly kind: "sent";
  readonly body: SendableBody;
  readonly bodyHash: Uint8Array;
  readonly result: SendResult;
  readonly endedAtMs: number;
}

export type UnitEnd =
  | Sent
  /** The template cannot be rendered for these events, now or later. */
  | { readonly kind: "not_rendered"; readonly failed: Exclude<Body, { kind: "body" }> }
  /** Building it took its time, and the lease ran out meanwhile. */
  | { readonly kind: "not_started" }
  /** A fault of ours; whether anything was sent is not known. */
  | { readonly kind: "fault"; readonly error: unknown };

/** The part of the guarded client that delivering needs. */
export interface Sender {
  send(request: {
    readonly url: string;
    readonly method: string;
    readonly headers: string[];
    readonly body: Uint8Array;
    readonly timeoutMs: number;
    readonly signal: AbortSignal;
    readonly allowedIps: AddressList | null;
    /** How much of the answer's body is given back; 16 KiB unless said. */
    readonly keptBodyBytes?: number;
  }): Promise<SendResult>;
}

export interface UnitSenderOptions {
  readonly clock: Clock;
  readonly sender: Sender;
  /** What webhooks send that are not plain. */
  readonly bodies: Bodies;
  /** Hashes and signs a large body away from the event loop. */
  readonly sealLarge: (body: Buffer, parts: readonly SealPart[]) => Promise<Seal>;
  /** Lease held and configuration confirmed: asked again when building took its time. */
  readonly mayStart: () => boolean;
  /** Told once for each unit that was started; at once (within `start`) only when it could not be rendered. */
  readonly onEnd: (unit: Unit, end: UnitEnd) => void;
  /** Every request carries a trace; otherwise only those whose sender began one. */
  readonly isTracing?: boolean;
  readonly failpoint?: (name: "before_send" | "after_response") => void;
}

/** Above this, sealing takes longer than a millisecond. */
const LARGE_BYTES = 256 * 1024;

export function unitOf({ entries, batch }: Startable, prepared: PreparedWebhook, startedAtMs: number): Unit {
  const [{ queue, event, idBytes, attemptCount, coalescedCount: ofOne }] = entries;
  const timestampSeconds = Math.floor(startedAtMs / 1_000);
  // Nearly every unit is one delivery, and this runs for each of them: no spreading here.
  if (batch === null && entries.length === 1 && ofOne === null && event.correctionBytes === undefined) {
    const identity: AttemptIdentity = {
      publicEventId: event.publicId,
      eventType: event.type,
      deliveryId: formatId("delivery", idBytes),
      number: attemptCount + 1,
      timestampSeconds,
    };
    return { queue, entries, batch, prepared, startedAtMs, identity };
  }
  const sent = {
    number: Math.max(...entries.map((entry) => entry.attemptCount)) + 1,
    ...coalescedCountOf(entries),
    ...(event.correctionBytes === undefined ? {} : { correctionId: formatId("correction", event.correctionBytes) }),
    timestampSeconds,
  };
  const identity: AttemptIdentity =
    batch === null
      ? {
          publicEventId: event.publicId,
          eventType: event.type,
          deliveryId: formatId("delivery", idBytes),
          ...sent,
        }
      : { ...batchNames(batch), ...sent };
  return { queue, entries, batch, prepared, startedAtMs, identity };
}

/** Of deliveries that coalescing let through: how many events they stand for. */
function coalescedCountOf(entries: readonly Entry[]): { coalescedCount?: number } {
  if (entries.every(({ coalescedCount }) => coalescedCount === null)) return {};
  return { coalescedCount: entries.reduce((sum, { coalescedCount }) => sum + (coalescedCount ?? 1), 0) };
}

export class UnitSender {
  readonly #options: UnitSenderOptions;
  #abort = new AbortController();

  constructor(options: UnitSenderOptions) {
    this.#options = options;
  }

  start(unit: Unit): void {
    const { bodies } = this.#options;
    const { webhook } = unit.prepared;
    const [{ event }] = unit.entries;
    if (unit.batch === null && unit.prepared.isPlain) {
      this.#seal(unit, { bytes: envelopeOf(event), warnings: null, parts: null });
      return;
    }
    const body =
      unit.batch === null
        ? bodies.bodyOf(webhook, event)
        : bodies.batchBodyOf(
            webhook,
            unit.batch,
            unit.entries.map((entry) => entry.event),
          );
    if (!(body instanceof Promise)) {
      this.#rendered(unit, body);
      return;
    }
    body.then(
      (rendered) => {
        // Rendering took its time: the lease may have run out meanwhile.
        if (rendered.kind === "body" && !this.#options.mayStart()) this.#end(unit, { kind: "not_started" });
        else this.#rendered(unit, rendered);
      },
      (error: unknown) => this.#end(unit, { kind: "fault", error }),
    );
  }

  /** Every running request ends now, as interrupted. */
  interrupt(): void {
    this.#abort.abort();
    this.#abort = new AbortController();
  }

  #end(unit: Unit, end: UnitEnd): void {
    this.#options.onEnd(unit, end);
  }

  #rendered(unit: Unit, body: Body): void {
    if (body.kind === "body") this.#seal(unit, body);
    else this.#end(unit, { kind: "not_rendered", failed: body });
  }

  #seal(unit: Unit, body: SendableBody): void {
    const { bytes } = body;
    const { prepared, identity } = unit;
    if (bytes.length <= LARGE_BYTES) {
      this.#send(unit, body, sealNow(bytes, prepared, identity));
      return;
    }
    this.#options.sealLarge(bytes, sealParts(prepared, identity)).then(
      (seal) => {
        // Sealing took its time, too.
        if (this.#options.mayStart()) this.#send(unit, body, seal);
        else this.#end(unit, { kind: "not_started" });
      },
      (error: unknown) => this.#end(unit, { kind: "fault", error }),
    );
  }

  #send(unit: Unit, body: SendableBody, seal: Seal): void {
    const { clock, sender, failpoint } = this.#options;
    const { prepared, identity } = unit;
    const { webhook } = prepared;
    const headers = requestHeaders(prepared, identity, seal, body.parts);
    // A batch carries the trace of its first event.
    const [{ event, idBytes, attemptCount }] = unit.entries;
    const kept = event.traceContext ?? null;
    if (kept !== null || this.#options.isTracing === true) {
      headers.push(...traceHeaders(traceContextOf(kept, event.idBytes), idBytes, attemptCount + 1));
    }
    failpoint?.("before_send");
    sender
      .send({
        url: body.parts?.url ?? webhook.url,
        method: body.parts?.method ?? webhook.method,
        headers,
        body: body.bytes,
        timeoutMs: webhook.timeoutMs,
        signal: this.#abort.signal,
        allowedIps: prepared.allowedIps,
        ...(hasResponseRules(webhook) ? { keptBodyBytes: JUDGED_BODY_BYTES } : {}),
      })
      .then(
        (received) => {
          failpoint?.("after_response");
          const result = hideSecrets(received, prepared.textsToHide);
          this.#end(unit, { kind: "sent", body, bodyHash: seal.hash, result, endedAtMs: clock.nowMs() });
        },
        // The client answers with values only: anything thrown is a fault of ours.
        (error: unknown) => this.#end(unit, { kind: "fault", error }),
      );
  }
}
