// Cancels what is pending or held of a webhook, or of an event, in chunks of one transaction each: a call that is cut off
// has cancelled some of them and said so in the trail. Requests that are under way end as they end.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant } from "../storage/pools.ts";
import type { CancellationsOptions } from "./cancel.ts";
import { cancelPending, countPending, type PendingOf } from "./cancel-many.sql.ts";

const CHUNK_SIZE = 500;
/** How far a dry run counts. */
const MOST_COUNTED = 1_000_000;

export interface CancelledMany {
  readonly count: number;
  /** The same call again finds more; of a dry run that it counted no further. */
  readonly hasMore: boolean;
}

export class BulkCancellations {
  readonly #options: CancellationsOptions;

  constructor(options: CancellationsOptions) {
    this.#options = options;
  }

  async count(actor: Actor, of: PendingOf): Promise<CancelledMany> {
    const { tenantUuid, livemode } = actor;
    const counted = await asTenant(this.#options.api, tenantUuid, (db) =>
      countPending(db, tenantUuid, livemode, of, MOST_COUNTED + 1),
    );
    return { count: Math.min(counted, MOST_COUNTED), hasMore: counted > MOST_COUNTED };
  }

  /** Up to `limit` of them end with reason `requested`; on their owner within two seconds no request of them starts. */
  async cancel(actor: Actor, of: PendingOf, limit: number): Promise<CancelledMany> {
    let count = 0;
    for (;;) {
      const wanted = Math.min(CHUNK_SIZE, limit - count);
      const cancelled = await this.#chunk(actor, of, wanted);
      count += cancelled;
      if (cancelled < wanted) return { count, hasMore: false };
      if (count >= limit) return { count, hasMore: (await this.count(actor, of)).count > 0 };
    }
  }

  async #chunk(actor: Actor, of: PendingOf, limit: number): Promise<number> {
    const { api, clock, newId, wake } = this.#options;
    const { tenantUuid, livemode } = actor;
    const atMs = clock.nowMs();
    const removed = await asTenant(api, tenantUuid, async (db) => {
      const rows = await cancelPending(db, tenantUuid, livemode, of, new Date(atMs).toISOString(), limit);
      if (rows.length === 0) return rows;
      await insertAuditEntry(db, {
        tenantUuid,
        entryUuid: uuidFromBytes(newId()),
        atMs,
        actor: actor.keyId,
        action: "deliveries.cancelled",
        objectType: of.kind,
        objectId: of.kind === "webhook" ? idFromUuid("webhook", of.webhookUuid) : idFromUuid("event", of.eventUuid),
        requestId: actor.requestId,
        change: {
          state: { from: "pending", to: "cancelled" },
          count: { from: null, to: rows.length },
          deliveries: { from: null, to: rows.map((row) => idFromUuid("delivery", row.id)) },
        },
      });
      return rows;
    });
    if (removed.length > 0) wake([...new Set(removed.map((row) => row.webhook_id))]);
    return removed.length;
  }
}
