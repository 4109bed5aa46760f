// Statements that end deliveries whose event is about to go.
import { noticesOfDeliveries } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";
import { TALLIED_DEAD_LETTER_COLUMNS, tallyOfDeadLetters } from "../storage/tally.sql.ts";
import { lowestUuidAt } from "./days.ts";

/**
 * Which deliveries: of one class, whose event is older than the cutoff. `delivery` has no index by event, so they are
 * found tenant by tenant: a delivery's id carries its event's time (primary key), a replay's does not (partial index
 * delivery_replayed). With nothing to expire this costs two index probes a tenant.
 */
const EXPIRING = `
  from tenant t
  cross join lateral (
    (
      select d.tenant_id, d.id from delivery d
      where d.tenant_id = t.id and d.id < $1::uuid and d.event_id < $1::uuid and d.retention_class = $2
      limit $3
    )
    union all
    (
      select d.tenant_id, d.id from delivery d
      where d.tenant_id = t.id and d.replayed and d.event_id < $1::uuid and d.id >= $1::uuid and d.retention_class = $2
      limit $3
    )
  ) expiring`;

/**
 * Makes one chunk of them dead letters with reason `expired`. Whoever removes the delivery writes its terminal
 * record: a delivery that its node has just finished is not touched.
 * @param cutoffMs events minted before this time
 * @returns how many there were
 */
export async function expireChunk(
  engine: Executor,
  cutoffMs: number,
  retentionClass: number,
  nowMs: number,
  limit: number,
): Promise<number> {
  const { rows } = await engine.query<{ expired_count: number }>({
    text: `
      with expiring as materialized (
        select expiring.tenant_id, expiring.id ${EXPIRING} limit $3
      ),
      removed as (
        delete from delivery d using expiring
        where d.tenant_id = expiring.tenant_id and d.id = expiring.id
        returning d.tenant_id, d.id, d.event_id, d.webhook_id, d.seq, d.webhook_version, d.retention_class, d.lane,
                  d.attempt_count, d.replayed, d.ordering_key, d.batch_id, d.coalesced_count
      ),
      dead as (
        insert into dead_letter (
          tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane, attempt_count,
          replayed, reason, ordering_key, batch_id, coalesced_count
        )
        select tenant_id, id, event_id, webhook_id, seq, to_timestamp($4::float8 / 1000), webhook_version,
               retention_class, lane, attempt_count, replayed, 'expired', ordering_key,
               batch_id, coalesced_count
        from removed
        returning ${TALLIED_DEAD_LETTER_COLUMNS}, id, event_id, retention_class, reason, dead_at as at
      ),
      noted as (
        ${noticesOfDeliveries("dead", "delivery.dead_lettered")}
      ),
      tallied as (
        ${tallyOfDeadLetters("dead", "added")}
      )
      select count(*) as expired_count from dead`,
    values: [lowestUuidAt(cutoffMs), retentionClass, limit, nowMs],
  });
  return rows[0]?.expired_count ?? 0;
}

/** The milliseconds, in hexadecimal, that the ids of those deliveries start with: they decide the partition. */
export async function listExpiringTimes(
  engine: Executor,
  cutoffMs: number,
  retentionClass: number,
  limit: number,
): Promise<string[]> {
  const { rows } = await engine.query<{ milliseconds: string }>({
    text: `
      select distinct left(replace(expiring.id::text, '-', ''), 12) as milliseconds ${EXPIRING} limit $3`,
    values: [lowestUuidAt(cutoffMs), retentionClass, limit],
  });
  return rows.map((row) => row.milliseconds);
}
