// Parked keys: what to do about the delivery that holds its key. Skip it (a dead letter; the key goes on), or release many
// at once, by a retry or by skipping, in chunks of one transaction each. Must never touch a delivery that holds no key.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import {
  countParkedKeys,
  lockReleasableWebhooks,
  type ParkedFilter,
  retryParked,
  selectDeadReason,
  selectParkedBefore,
  skipParked,
} from "./parked.sql.ts";
import { selectState } from "./retry.sql.ts";

export interface ParkedKeysOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after each commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
  /** Keys of a transaction; a test makes it small. */
  readonly chunkSize?: number;
}

export type ReleaseHow = "retry" | "skip";

export type Skipped =
  /** Now, or before: a call that is repeated changes nothing. */
  | { readonly kind: "skipped"; readonly at: string | null }
  | { readonly kind: "absent" }
  | { readonly kind: "not_parked"; readonly state: string };

export interface Released {
  readonly count: number;
  /** The same call again finds more; of a dry run that it counted no further. */
  readonly hasMore: boolean;
}

const CHUNK_SIZE = 200;
/** How far a dry run counts. */
const MOST_COUNTED = 100_000;

export class ParkedKeys {
  readonly #options: ParkedKeysOptions;

  constructor(options: ParkedKeysOptions) {
    this.#options = options;
  }

  /** The delivery that holds its key becomes a dead letter, and the next one of the key goes. */
  async skip(actor: Actor, deliveryUuid: string): Promise<Skipped> {
    const { api, clock, wake } = this.#options;
    const { tenantUuid, livemode } = actor;
    const atMs = clock.nowMs();
    const at = new Date(atMs).toISOString();
    let woken: readonly string[] = [];
    const outcome = await asTenant(api, tenantUuid, async (db): Promise<Skipped> => {
      const skipped = await skipParked(db, tenantUuid, livemode, [deliveryUuid], at);
      if (skipped.length > 0) {
        woken = skipped.map((row) => row.webhook_id);
        await this.#audit(db, actor, atMs, "delivery.skipped", "delivery", idFromUuid("delivery", deliveryUuid), {
          state: { from: "held", to: "dead_letter" },
          deadReason: { from: null, to: "skipped" },
        });
        return { kind: "skipped", at };
      }
      const state = await selectState(db, tenantUuid, livemode, deliveryUuid);
      if (state === null) return { kind: "absent" };
      const isSkipped = state === "dead_letter" && (await selectDeadReason(db, tenantUuid, deliveryUuid)) === "skipped";
      return isSkipped ? { kind: "skipped", at: null } : { kind: "not_parked", state };
    });
    if (woken.length > 0) wake(woken);
    return outcome;
  }

  /** How many keys the filter means. */
  async count(actor: Actor, filter: ParkedFilter): Promise<Released> {
    const { tenantUuid, livemode } = actor;
    const counted = await asTenant(this.#options.api, tenantUuid, (db) =>
      countParkedKeys(db, tenantUuid, livemode, filter, MOST_COUNTED + 1),
    );
    return { count: Math.min(counted, MOST_COUNTED), hasMore: counted > MOST_COUNTED };
  }

  /**
   * Lets up to `limit` keys go that were parked when this was called, oldest first: what holds them is tried again or
   * skipped. A call that is cut off has released some of them and said so in the trail; the same call releases the rest.
   */
  async release(actor: Actor, filter: ParkedFilter, how: ReleaseHow, limit: number): Promise<Released> {
    const beforeMs = this.#options.clock.nowMs();
    let count = 0;
    for (;;) {
      const wanted = Math.min(this.#options.chunkSize ?? CHUNK_SIZE, limit - count);
      const chunk = await this.#releaseChunk(actor, filter, how, beforeMs, wanted);
      count += chunk.releasedCount;
      // None although there are some: somebody else is about them.
      if (!chunk.hasMore || chunk.releasedCount === 0) return { count, hasMore: false };
      if (count >= limit) return { count, hasMore: true };
    }
  }

  async #releaseChunk(
    actor: Actor,
    filter: ParkedFilter,
    how: ReleaseHow,
    beforeMs: number,
    limit: number,
  ): Promise<{ releasedCount: number; hasMore: boolean }> {
    const { api, clock, wake } = this.#options;
    const { tenantUuid, livemode } = actor;
    const atMs = clock.nowMs();
    const at = new Date(atMs).toISOString();
    let woken: readonly string[] = [];
    const chunk = await asTenant(api, tenantUuid, async (db) => {
      const found = await selectParkedBefore(db, tenantUuid, livemode, filter, beforeMs, limit + 1);
      const wanted = found.slice(0, limit);
      woken = await lockReleasableWebhooks(db, tenantUuid, [...new Set(wanted.map((row) => row.webhook_id))]);
      const ids = wanted.filter((row) => woken.includes(row.webhook_id)).map((row) => row.id);
      const released =
        how === "retry"
          ? await retryParked(db, tenantUuid, ids, at)
          : await skipParked(db, tenantUuid, livemode, ids, at);
      if (released.length > 0) {
        const { webhookUuid } = filter;
        const objectType = webhookUuid === null ? "tenant" : "webhook";
        const objectId = webhookUuid === null ? idFromUuid("tenant", tenantUuid) : idFromUuid("webhook", webhookUuid);
        await this.#audit(db, actor, atMs, "parked_keys.released", objectType, objectId, {
          how: { from: null, to: how },
          count: { from: null, to: released.length },
          deliveries: { from: null, to: released.map((row) => idFromUuid("delivery", row.id)) },
        });
      }
      return { releasedCount: released.length, hasMore: found.length > limit };
    });
    if (chunk.releasedCount > 0) wake(woken);
    return chunk;
  }

  async #audit(
    db: Executor,
    actor: Actor,
    atMs: number,
    action: string,
    objectType: "delivery" | "webhook" | "tenant",
    objectId: string,
    change: Readonly<Record<string, { from: unknown; to: unknown }>>,
  ): Promise<void> {
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action,
      objectType,
      objectId,
      requestId: actor.requestId,
      change,
    });
  }
}
