// One request by itself: built exactly as a delivery's attempt is, and then either sent now, outside order, rate and
// lease, or only shown. Must never store, count or retry anything, and never hand out a secret.
import { formatId } from "@posthorn/contract";
import type { MissingValue } from "../expressions/template.ts";
import type { Clock } from "../lib/clock.ts";
import type { SendResult } from "../security/outbound/result.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Outcome } from "./decide.ts";
import { excerptOf, hasResponseRules, judge, JUDGED_BODY_BYTES, type RuleWarning } from "./judge.ts";
import type { Sender } from "./unit.ts";
import { hideSecrets } from "./hide-secrets.ts";
import { type BatchIdentity, newBatch } from "./gather/batch-body.ts";
import { type DefinitionsOf, gatherPlanOf, type NamesOf } from "./gather/plan.ts";
import type { DeliverableEvent } from "./queue.ts";
import type { Bodies } from "./render.ts";
import {
  type AttemptIdentity,
  batchNames,
  hasNextSecret,
  type OpenSecret,
  prepareWebhook,
  requestHeaders,
  sealParts,
} from "./request.ts";
import type { Seal, SealPart } from "./seal.ts";
import { sealBody } from "./seal.ts";

export interface OneRequestsOptions {
  readonly clock: Clock;
  readonly bodies: Bodies;
  readonly namesOf: NamesOf;
  readonly definitionsOf: DefinitionsOf;
  readonly sender: Sender;
  readonly openSecret: OpenSecret;
  readonly sealLarge: (body: Buffer, parts: readonly SealPart[]) => Promise<Seal>;
}

/** What a request is about; `deliveryBytes` and `number` are a delivery's own, or made up for a test. */
export interface RequestSubject {
  readonly webhook: Webhook;
  readonly event: DeliverableEvent;
  readonly deliveryBytes: Uint8Array;
  /** Of the attempt, from 1. */
  readonly number: number;
  /** The stored batch that it goes in, with the events of all members. */
  readonly batch?: { readonly identity: BatchIdentity; readonly events: readonly DeliverableEvent[] };
}

/** A request as somebody may see it: secret values masked, signatures real. */
export interface ShownRequest {
  readonly method: string;
  readonly url: string;
  /** Name and value in turn, in the order in which they are sent. */
  readonly headers: readonly string[];
  readonly body: Buffer;
  /** SHA-256 of the body. */
  readonly bodyHash: Uint8Array;
  /** What a template found no value for, or null. */
  readonly warnings: readonly MissingValue[] | null;
}

/** A template cannot be rendered for this event: there is no request. `path` is the place in the field. */
export interface NoRequest {
  readonly kind: "not_rendered";
  readonly field: string;
  readonly path: string;
  readonly code: string;
  readonly message: string;
}

export type Shown = NoRequest | { readonly kind: "shown"; readonly request: ShownRequest };

export type Tested =
  | NoRequest
  /** The next secret was asked for, and no rotation brings one. */
  | { readonly kind: "no_next_secret" }
  /** As many are under way as may be. */
  | { readonly kind: "busy" }
  | {
      readonly kind: "tested";
      readonly request: ShownRequest;
      readonly outcome: Outcome;
      /** By the webhook's own rules. */
      readonly judged: {
        readonly code: string | null;
        readonly extracted: Readonly<Record<string, string>> | null;
        readonly warnings: readonly RuleWarning[] | null;
      };
      readonly result: SendResult;
    };

/** Tells a receiver that nothing happened in the business. */
const TEST_HEADER = ["x-bigledger-test", "true"] as const;
/** People press buttons one at a time; a script that holds this many sockets open has to wait. */
const MAX_UNDER_WAY = 64;
/** Above this, sealing takes longer than a millisecond. */
const LARGE_BYTES = 256 * 1024;

export class OneRequests {
  readonly #options: OneRequestsOptions;
  readonly #abort = new AbortController();
  #underWayCount = 0;

  constructor(options: OneRequestsOptions) {
    this.#options = options;
  }

  /** The request as it would be sent now. Throws when a secret of the webhook does not open. */
  async show(subject: RequestSubject): Promise<Shown> {
    const built = await this.#build(subject, false, []);
    return built.kind === "built" ? { kind: "shown", request: built.shown } : built;
  }

  /**
   * Sends one request now, whatever the webhook's status, and waits for what comes back: at most the webhook's timeout
   * and a second for the body.
   * @param useNextSecret signs with the secret that a rotation brings, to try it before the switch
   */
  async test(subject: RequestSubject, useNextSecret: boolean): Promise<Tested> {
    const { clock, sender } = this.#options;
    const { webhook } = subject;
    if (useNextSecret && !hasNextSecret(webhook, clock.nowMs())) return { kind: "no_next_secret" };
    if (this.#underWayCount >= MAX_UNDER_WAY) return { kind: "busy" };
    this.#underWayCount += 1;
    try {
      const built = await this.#build(subject, useNextSecret, TEST_HEADER);
      if (built.kind !== "built") return built;
      const received = await sender.send({
        url: built.shown.url,
        method: built.shown.method,
        headers: built.headers,
        body: built.shown.body,
        timeoutMs: webhook.timeoutMs,
        signal: this.#abort.signal,
        allowedIps: built.allowedIps,
        ...(hasResponseRules(webhook) ? { keptBodyBytes: JUDGED_BODY_BYTES } : {}),
      });
      const result = hideSecrets(received, built.textsToHide);
      const judged = judge(webhook, result);
      return { kind: "tested", request: built.shown, outcome: judged.outcome, judged, result: excerptOf(result) };
    } finally {
      this.#underWayCount -= 1;
    }
  }

  /** Ends the tests under way: the node stops. */
  stop(): void {
    this.#abort.abort();
  }

  /** A webhook that gets batches gets one here too; what was tried by itself stays by itself. */
  #batchOfOne({ webhook, event, number, deliveryBytes }: RequestSubject): NonNullable<RequestSubject["batch"]> | null {
    if (number > 1) return null;
    const place = gatherPlanOf(webhook, this.#options)?.batchOf(event) ?? null;
    if (place === null) return null;
    return {
      identity: newBatch(place.rules.kind, deliveryBytes, this.#options.clock.nowMs()),
      events: [event],
    };
  }

  async #build(subject: RequestSubject, useNextSecret: boolean, extraHeaders: readonly string[]) {
    const { clock, bodies, openSecret, sealLarge } = this.#options;
    const { webhook, event } = subject;
    const prepared = await prepareWebhook(webhook, openSecret, { useNextSecret });
    const batch = subject.batch ?? this.#batchOfOne(subject);
    const body = await (batch === null
      ? bodies.bodyOf(webhook, event)
      : bodies.batchBodyOf(webhook, batch.identity, batch.events));
    if (body.kind === "failed") return { ...body, kind: "not_rendered" } as const;
    const names =
      batch === null
        ? {
            publicEventId: event.publicId,
            eventType: event.type,
            deliveryId: formatId("delivery", subject.deliveryBytes),
          }
        : batchNames(batch.identity);
    const identity: AttemptIdentity = {
      ...names,
      ...(batch !== null || event.correctionBytes === undefined
        ? {}
        : { correctionId: formatId("correction", event.correctionBytes) }),
      number: subject.number,
      timestampSeconds: Math.floor(clock.nowMs() / 1_000),
    };
    const parts = sealParts(prepared, identity);
    const { bytes } = body;
    const seal = bytes.length <= LARGE_BYTES ? sealBody(bytes, parts) : await sealLarge(bytes, parts);
    const shown: ShownRequest = {
      method: body.parts?.method ?? webhook.method,
      url: body.parts?.url ?? webhook.url,
      headers: [...requestHeaders(prepared, identity, seal, body.parts, prepared.shownHeaders), ...extraHeaders],
      body: bytes,
      bodyHash: seal.hash,
      warnings: body.warnings,
    };
    const headers = [...requestHeaders(prepared, identity, seal, body.parts), ...extraHeaders];
    const { allowedIps, textsToHide } = prepared;
    return { kind: "built", shown, headers, allowedIps, textsToHide } as const;
  }
}
