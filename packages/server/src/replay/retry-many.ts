// Retries the dead letters that a filter means, oldest first and in chunks of one transaction each: a call that is cut
// off has retried some of them and said so in the audit trail. Must never touch one whose webhook is not enabled.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { type IdSpan, spanOf, type TimeBounds, uuidAfter } from "../lib/id-bounds.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import { lockWebhook } from "./replay.sql.ts";
import {
  countRetryable,
  type DeadLetterFilter,
  type DeadLetterKey,
  lockEnabledWebhooks,
  reviveDeadLetters,
  selectRetryable,
} from "./retry-many.sql.ts";
import { webhookObstacle } from "./webhook-obstacle.ts";

/** Rows of a transaction: some tens of milliseconds, and short locks. */
const CHUNK_SIZE = 500;
/** How far a dry run counts. */
export const MOST_COUNTED = 100_000;

export interface BulkRetriesOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after each commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
  /** Rows of a transaction; a test makes it small. */
  readonly chunkSize?: number;
}

/** Times are those of the deliveries' events, and of replays themselves. */
export interface BulkRetryQuery extends TimeBounds, Omit<DeadLetterFilter, "span"> {
  /** At most so many are retried. */
  readonly limit: number;
  /** Counts and changes nothing. */
  readonly dryRun: boolean;
}

export type BulkRetried =
  /** `hasMore`: the same call again finds more; of a dry run that it counted no further than MOST_COUNTED. */
  | { readonly kind: "retried"; readonly count: number; readonly hasMore: boolean }
  | { readonly kind: "no_webhook" }
  /** The named webhook's status stands in the way; the message says what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

export class BulkRetries {
  readonly #options: BulkRetriesOptions;

  constructor(options: BulkRetriesOptions) {
    this.#options = options;
  }

  async retry(actor: Actor, query: BulkRetryQuery): Promise<BulkRetried> {
    const obstacle = await this.#obstacleOf(actor, query.webhookUuid);
    if (obstacle !== null) return obstacle;
    const span = spanOf(query, "ffffffff-ffff-ffff-ffff-ffffffffffff", this.#options.clock.nowMs());
    return query.dryRun ? this.#count(actor, { ...query, span }) : this.#retryAll(actor, query, span);
  }

  async #obstacleOf(actor: Actor, webhookUuid: string | null): Promise<BulkRetried | null> {
    if (webhookUuid === null) return null;
    const { tenantUuid, livemode } = actor;
    const status = await asTenant(this.#options.api, tenantUuid, (db) =>
      lockWebhook(db, tenantUuid, livemode, webhookUuid),
    );
    if (status === null) return { kind: "no_webhook" };
    const message = webhookObstacle(idFromUuid("webhook", webhookUuid), status);
    return message === null ? null : { kind: "not_possible", message };
  }

  async #count(actor: Actor, filter: DeadLetterFilter): Promise<BulkRetried> {
    const { tenantUuid, livemode } = actor;
    const counted = await asTenant(this.#options.api, tenantUuid, (db) =>
      countRetryable(db, tenantUuid, livemode, filter, MOST_COUNTED + 1),
    );
    return { kind: "retried", count: Math.min(counted, MOST_COUNTED), hasMore: counted > MOST_COUNTED };
  }

  async #retryAll(actor: Actor, query: BulkRetryQuery, span: IdSpan): Promise<BulkRetried> {
    const chunkSize = this.#options.chunkSize ?? CHUNK_SIZE;
    let count = 0;
    let fromUuid = span.fromUuid;
    for (;;) {
      const wanted = Math.min(chunkSize, query.limit - count);
      const filter = { ...query, span: { fromUuid, beforeUuid: span.beforeUuid } };
      const chunk = await this.#retryChunk(actor, filter, wanted);
      count += chunk.retriedCount;
      if (chunk.lastUuid === null || !chunk.hasMore) return { kind: "retried", count, hasMore: false };
      if (count >= query.limit) return { kind: "retried", count, hasMore: true };
      fromUuid = uuidAfter(chunk.lastUuid);
    }
  }

  async #retryChunk(
    actor: Actor,
    filter: DeadLetterFilter,
    limit: number,
  ): Promise<{ retriedCount: number; lastUuid: string | null; hasMore: boolean }> {
    const { tenantUuid, livemode } = actor;
    const atMs = this.#options.clock.nowMs();
    let woken: readonly string[] = [];
    const chunk = await asTenant(this.#options.api, tenantUuid, async (db) => {
      const found = await selectRetryable(db, tenantUuid, livemode, filter, limit + 1);
      const keys = found.slice(0, limit);
      const progress = { lastUuid: keys.at(-1)?.id ?? null, hasMore: found.length > limit };
      if (keys.length === 0) return { retriedCount: 0, ...progress };
      woken = await lockEnabledWebhooks(db, tenantUuid, livemode, [...new Set(keys.map((key) => key.webhook_id))]);
      const current = keys.filter((key) => woken.includes(key.webhook_id));
      const retriedCount = await reviveDeadLetters(db, tenantUuid, current, new Date(atMs).toISOString());
      if (retriedCount > 0) await this.#audit(db, actor, filter, current, retriedCount, atMs);
      return { retriedCount, ...progress };
    });
    if (chunk.retriedCount > 0) this.#options.wake(woken);
    return chunk;
  }

  async #audit(
    db: Executor,
    actor: Actor,
    filter: DeadLetterFilter,
    keys: readonly DeadLetterKey[],
    count: number,
    atMs: number,
  ): Promise<void> {
    const { webhookUuid, reason, type } = filter;
    const of =
      webhookUuid === null
        ? { objectType: "tenant" as const, objectId: idFromUuid("tenant", actor.tenantUuid) }
        : { objectType: "webhook" as const, objectId: idFromUuid("webhook", webhookUuid) };
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action: "dead_letters.retried",
      ...of,
      requestId: actor.requestId,
      change: {
        state: { from: "dead_letter", to: "pending" },
        reason: { from: null, to: reason },
        type: { from: null, to: type === null ? null : `${type.text}${type.isPrefix ? "*" : ""}` },
        count: { from: null, to: count },
        deliveries: { from: null, to: keys.map((key) => idFromUuid("delivery", key.id)) },
      },
    });
  }
}
