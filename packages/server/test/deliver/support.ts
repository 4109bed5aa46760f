// Parts for tests of deliver without a node: snapshots of webhooks, entries, a sender that answers by itself.
import { uuidFromBytes } from "@posthorn/contract";
import { Gathering, type GatheringOptions } from "../../src/deliver/gather/gathering.ts";
import type { DeliverableEvent, DeliveryMemory, Entry, WebhookQueue } from "../../src/deliver/queue.ts";
import type { Clock } from "../../src/lib/clock.ts";
import type { SendResult } from "../../src/security/outbound/result.ts";
import { type Webhook, webhookOfRow } from "../../src/storage/configuration.ts";

export interface WebhookParts {
  /** Decides the id; its first bytes are `createdAtMs`. */
  readonly number?: number;
  readonly createdAtMs?: number;
  readonly version?: number;
  readonly status?: Webhook["status"];
  readonly configuration?: Readonly<Record<string, unknown>>;
}

/** A webhook as its row makes it. Its secret's ciphertext is its text: see `openPlainSecret`. */
export function webhookWith(parts: WebhookParts = {}): Webhook {
  return webhookOfRow({
    tenant_id: uuidFromBytes(idBytes(1)),
    id: uuidFromBytes(idBytes(parts.number ?? 2, parts.createdAtMs ?? 0)),
    config_version: 1,
    version: parts.version ?? 1,
    lane: 7,
    livemode: true,
    status: parts.status ?? "enabled",
    disabled_reason: parts.status === "disabled" ? "owner" : null,
    configuration: { url: "https://example.com/in", events: ["*"], ...parts.configuration },
    secrets: [{ id: "s", purpose: "signing", name: null, ciphertext: "a plain secret", valid_until_ms: null }],
  });
}

/** Sixteen bytes of a UUID. */
export function idBytes(number: number, ms = 0): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(ms, 0, 6);
  bytes.writeUInt32BE(number, 12);
  return bytes;
}

export const openPlainSecret = async (_webhook: Webhook, secret: { ciphertext: string }): Promise<string> =>
  secret.ciphertext;

export const EVENT: DeliverableEvent = {
  idBytes: idBytes(3),
  publicId: "evt_1",
  type: "invoice.paid",
  timestamp: "2026-11-23T08:00:00.000Z",
  livemode: true,
  retentionClass: 90,
  data: Buffer.from("{}"),
  context: null,
} as DeliverableEvent;

/** A committed delivery in memory, ready to go. */
export function addReady(memory: DeliveryMemory, queue: WebhookQueue, number: number): Entry {
  const entry = memory.add(queue, {
    idBytes: idBytes(number),
    event: { ...EVENT },
    attemptCount: 0,
    policyAttemptBase: 0,
    trigger: "initial",
    replayed: false,
    orderingKey: null,
  });
  queue.ready.push(entry);
  return entry;
}

/** The stages before a start, for webhooks that gather nothing. */
export function nothingGathered(memory: DeliveryMemory, clock: Clock): Gathering {
  const fail = (): never => {
    throw new Error("nothing is gathered here");
  };
  return new Gathering({
    clock,
    memory,
    log: { warn: fail } as unknown as GatheringOptions["log"],
    namesOf: fail,
    definitionsOf: fail,
    newId: fail,
    storeBatches: fail,
    storeSurvivors: fail,
    ownsLane: () => true,
    onReady: () => {},
    onSpilled: fail,
    onDoubt: fail,
  });
}

/** What a receiver answers, without a socket. */
export function respondedWith(status: number): SendResult {
  return {
    kind: "responded",
    status,
    headers: [],
    headersTruncated: false,
    body: Buffer.alloc(0),
    bodyReadBytes: 0,
    bodyTruncated: false,
    certificateExpiresAtMs: null,
    address: "203.0.113.7:443",
    reusedConnection: true,
    requestStarted: true,
    timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: 1, totalMs: 1 },
  };
}

/** The most that any window `[start, start + lengthMs)` holds of these times. */
export function mostInAnyWindow(timesMs: readonly number[], lengthMs: number): number {
  const sorted = [...timesMs].sort((a, b) => a - b);
  let most = 0;
  let first = 0;
  for (let last = 0; last < sorted.length; last += 1) {
    while ((sorted[last] as number) - (sorted[first] as number) >= lengthMs) first += 1;
    most = Math.max(most, last - first + 1);
  }
  return most;
}
