// Replays a webhook's past: the events of a time range that it was owed are delivered to it once more, as new
// deliveries with its current configuration and without asking its filters. Oldest first, in chunks of one transaction
// each, a bounded number in a call. Must never make an event's delivery twice in one walk through the pages.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { type IdSpan, spanOf, uuidAfter } from "../lib/id-bounds.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { DeliveryPlace, WebhookEventRow, WebhookEventsQuery } from "../storage/webhook-events.sql.ts";
import { findEventsOfWebhook } from "../storage/webhook-events.ts";
import type { Webhook } from "../storage/configuration.ts";
import { type OrderingKeyOf, orderingKeysOf } from "./ordering.ts";
import { insertReplaysOfWebhook, lockWebhook } from "./replay.sql.ts";
import { webhookObstacle } from "./webhook-obstacle.ts";

/** Events of a transaction. */
const CHUNK_SIZE = 500;
/** How far a dry run counts, and how many it reads at a time. */
export const MOST_COUNTED = 100_000;
const COUNT_CHUNK_SIZE = 5_000;

export interface WebhookReplaysOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7 of this moment: a replayed delivery carries its own time, not its event's. */
  readonly newId: () => Uint8Array;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after each commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
  readonly findWebhook: (tenantUuid: string, webhookUuid: string) => Promise<Webhook | null>;
  readonly orderingKeyOf: OrderingKeyOf;
  /** Events of a transaction; a test makes it small. */
  readonly chunkSize?: number;
}

export interface WebhookReplayQuery {
  /** Of the events, inclusive, milliseconds since 1970. */
  readonly fromMs: number;
  /** Exclusive; null: until now. */
  readonly toMs: number | null;
  readonly types: WebhookEventsQuery["types"];
  /** What became of them. */
  readonly states: readonly DeliveryPlace[];
  /** Events up to and with this id were replayed by the call before. */
  readonly afterUuid: string | null;
  /** At most so many events are replayed. */
  readonly limit: number;
  /** Counts and changes nothing. */
  readonly dryRun: boolean;
}

export type WebhookReplayed =
  /** `lastUuid`: where the next call goes on, null when there is no more (or a dry run counted to its end). */
  | { readonly kind: "replayed"; readonly count: number; readonly hasMore: boolean; readonly lastUuid: string | null }
  | { readonly kind: "no_webhook" }
  /** The webhook is not enabled; the message says what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

type Chunk = Exclude<WebhookReplayed, { kind: "replayed" }> | { kind: "made"; count: number; lastUuid: string | null };

export class WebhookReplays {
  readonly #options: WebhookReplaysOptions;

  constructor(options: WebhookReplaysOptions) {
    this.#options = options;
  }

  async replay(actor: Actor, webhookUuid: string, query: WebhookReplayQuery): Promise<WebhookReplayed> {
    const whole = spanOf(query, "ffffffff-ffff-ffff-ffff-ffffffffffff", this.#options.clock.nowMs());
    const after = query.afterUuid === null ? whole.fromUuid : uuidAfter(query.afterUuid);
    const span = { ...whole, fromUuid: after > whole.fromUuid ? after : whole.fromUuid };
    const chunkSize = query.dryRun ? COUNT_CHUNK_SIZE : (this.#options.chunkSize ?? CHUNK_SIZE);
    const limit = query.dryRun ? MOST_COUNTED : query.limit;
    let count = 0;
    let seen = 0;
    let lastUuid: string | null = null;
    while (seen < limit) {
      const wanted = Math.min(chunkSize, limit - seen);
      const fromUuid = lastUuid === null ? span.fromUuid : uuidAfter(lastUuid);
      const chunk = await this.#chunk(actor, webhookUuid, query, { ...span, fromUuid }, wanted);
      if (chunk.kind !== "made") {
        // What was made before the webhook was switched off stays made.
        return count === 0 ? chunk : { kind: "replayed", count, hasMore: true, lastUuid };
      }
      count += chunk.count;
      if (chunk.lastUuid === null) return { kind: "replayed", count, hasMore: false, lastUuid: null };
      lastUuid = chunk.lastUuid;
      seen += wanted;
    }
    return { kind: "replayed", count, hasMore: true, lastUuid };
  }

  /** One transaction; `lastUuid` is null when there are no more events. */
  async #chunk(
    actor: Actor,
    webhookUuid: string,
    query: WebhookReplayQuery,
    span: IdSpan,
    limit: number,
  ): Promise<Chunk> {
    const { tenantUuid, livemode } = actor;
    const { types, states: places, dryRun } = query;
    // It may have to be read: not while a connection of the API is held in a transaction.
    const webhook = await this.#options.findWebhook(tenantUuid, webhookUuid);
    const chunk = await asTenant(this.#options.api, tenantUuid, async (db): Promise<Chunk> => {
      const status = await lockWebhook(db, tenantUuid, livemode, webhookUuid);
      if (status === null) return { kind: "no_webhook" };
      const message = webhookObstacle(idFromUuid("webhook", webhookUuid), status);
      if (message !== null) return { kind: "not_possible", message };
      const wanted = { webhookUuid, places, types, reference: null, withPayload: true, span } as const;
      const rows = await findEventsOfWebhook(db, tenantUuid, { ...wanted, order: "oldest_first" }, limit + 1);
      const events = rows.slice(0, limit);
      const lastUuid = rows.length > limit ? (events.at(-1)?.event_id ?? null) : null;
      if (dryRun || events.length === 0) return { kind: "made", count: events.length, lastUuid };
      return { kind: "made", count: await this.#make(db, actor, webhookUuid, webhook, events), lastUuid };
    });
    if (chunk.kind === "made" && chunk.count > 0 && !dryRun) this.#options.wake([webhookUuid]);
    return chunk;
  }

  async #make(
    db: Executor,
    actor: Actor,
    webhookUuid: string,
    webhook: Webhook | null,
    events: readonly WebhookEventRow[],
  ): Promise<number> {
    const { clock, orderingKeyOf } = this.#options;
    const atMs = clock.nowMs();
    const eventKeys = events.map(({ event_id: id, retention_class }) => ({ id, retention_class }));
    const keys = webhook === null ? [] : await orderingKeysOf(db, webhook, eventKeys, orderingKeyOf);
    const replays = events.map((event, index) => ({
      uuid: uuidFromBytes(this.#options.newId()),
      eventUuid: event.event_id,
      retentionClass: event.retention_class,
      orderingKey: keys[index] ?? null,
    }));
    const dueAt = new Date(atMs).toISOString();
    const count = await insertReplaysOfWebhook(db, actor.tenantUuid, webhookUuid, replays, dueAt);
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action: "webhook.replayed",
      objectType: "webhook",
      objectId: idFromUuid("webhook", webhookUuid),
      requestId: actor.requestId,
      change: {
        count: { from: null, to: count },
        events: { from: null, to: events.map((event) => idFromUuid("event", event.event_id)) },
      },
    });
    return count;
  }
}
