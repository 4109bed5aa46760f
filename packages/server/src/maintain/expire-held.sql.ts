// The statement that ends deliveries which their webhook's `expireAfter` ends while nothing would attempt them: held
// ones, and those of a paused webhook. The others meet their end where they would be attempted. Engine role.
import { noticesOfDeliveries } from "../storage/notices.sql.ts";
import type { Executor } from "../storage/pools.ts";
import { TALLIED_DEAD_LETTER_COLUMNS, tallyOfDeadLetters } from "../storage/tally.sql.ts";

/**
 * Makes one chunk of them dead letters with reason `expired`. Webhooks by the partial index webhook_expiring, their
 * deliveries by the primary key's time or, held ones, by delivery_due. A delivery that somebody retried by hand gets its
 * attempt first.
 * @param graceMs how long a request that was under way when its webhook was paused may still bring its result
 * @returns how many there were
 */
export async function expireHeldChunk(
  engine: Executor,
  nowMs: number,
  graceMs: number,
  limit: number,
): Promise<number> {
  const { rows } = await engine.query<{ expired_count: number }>({
    name: "expire_held_chunk",
    text: `
      with expiring as materialized (
        select d.tenant_id, d.id
        from webhook w
        cross join lateral (
          select tenant_id, id
          from delivery
          where delivery.lane = w.lane and delivery.webhook_id = w.id and delivery.tenant_id = w.tenant_id
            and (w.status = 'paused' or delivery.due_at = 'infinity') and delivery.next_trigger <> 'manual'
            and delivery.id < (
              lpad(to_hex(floor($1::float8 - $2::float8 - (w.configuration ->> 'expireAfter')::float8 * 1000)::bigint), 12, '0')
              || '00000000000000000000'
            )::uuid
          limit $3
        ) d
        where w.configuration ->> 'expireAfter' is not null and w.status in ('enabled', 'paused')
        limit $3
      ),
      removed as (
        delete from delivery d using expiring
        where d.tenant_id = expiring.tenant_id and d.id = expiring.id
        returning d.tenant_id, d.id, d.event_id, d.webhook_id, d.seq, d.webhook_version, d.retention_class, d.lane,
                  d.attempt_count, d.replayed, d.ordering_key, d.batch_id, d.coalesced_count
      ),
      told as (
        insert into cancel_notice (tenant_id, delivery_id, webhook_id, lane)
        select tenant_id, id, webhook_id, lane from removed
        on conflict do nothing
      ),
      dead as (
        insert into dead_letter (
          tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane, attempt_count,
          replayed, reason, ordering_key, batch_id, coalesced_count
        )
        select tenant_id, id, event_id, webhook_id, seq, to_timestamp($1::float8 / 1000), webhook_version,
               retention_class, lane, attempt_count, replayed, 'expired', ordering_key, batch_id,
               coalesced_count
        from removed
        returning ${TALLIED_DEAD_LETTER_COLUMNS}, id, event_id, retention_class, reason, dead_at as at
      ),
      noted as (
        ${noticesOfDeliveries("dead", "delivery.dead_lettered")}
      ),
      tallied as (
        ${tallyOfDeadLetters("dead", "added")}
      )
      select count(*)::int4 as expired_count from dead`,
    values: [nowMs, graceMs, limit],
  });
  return rows[0]?.expired_count ?? 0;
}
