// Reads what the database says at the end of a run, by plain SQL past every policy and nothing of the product's code.
// It must only ever read.
import pg from "pg";
import { idFromUuid } from "@posthorn/contract";
import type { FinalState } from "./checker.ts";

const EVENTS = `
select id, coalesce(sender_id, '') as sender_id, delivery_count,
  encode(sha256(convert_to('"data":', 'UTF8') || data
    || coalesce(convert_to(',"context":', 'UTF8') || context, ''::bytea) || convert_to('}', 'UTF8')), 'hex') as tail_hash
from event where type = 'invoice.paid'`;

/** What a test published past the ledger is judged by that test. */
const OF_OTHERS = "event_id in (select id from event where type <> 'invoice.paid')";

const TERMINALS = `
select * from (
select delivery_id as id, event_id, webhook_id, 'delivered' as kind from attempt where ends_delivery and outcome = 'delivered'
union all select id, event_id, webhook_id, 'dead_letter' from dead_letter
union all select id, event_id, webhook_id, 'cancelled' from cancelled_delivery
) ended where not ${OF_OTHERS}`;

const ATTEMPTS = `
select id, delivery_id, number, extract(epoch from started_at)::float8 * 1000 as started_at_ms from attempt
where not ${OF_OTHERS}`;

const WAITING = `
select (select count(*)::int4 from delivery) as deliveries, (select count(*)::int4 from fan_out) as fan_outs`;

/** How much still waits to be delivered. */
export async function countWaiting(pool: pg.Pool): Promise<{ deliveries: number; fanOuts: number }> {
  const { rows } = await pool.query<{ deliveries: number; fan_outs: number }>(WAITING);
  return { deliveries: rows[0]?.deliveries ?? 0, fanOuts: rows[0]?.fan_outs ?? 0 };
}

/** @param nameOf a webhook's name in the ledger, by its UUID */
export async function readFinalState(pool: pg.Pool, nameOf: (webhookUuid: string) => string): Promise<FinalState> {
  const waiting = await countWaiting(pool);
  const events = await pool.query<{ id: string; sender_id: string; delivery_count: number; tail_hash: string }>(EVENTS);
  const publicIds = new Map<string, string>();
  for (const row of events.rows) publicIds.set(row.id, row.sender_id || idFromUuid("event", row.id));
  const publicId = (uuid: string): string => publicIds.get(uuid) ?? `unknown event ${uuid}`;
  const terminals = await pool.query<{ id: string; event_id: string; webhook_id: string; kind: "delivered" }>(
    TERMINALS,
  );
  const attempts = await pool.query<{ id: string; delivery_id: string; number: number; started_at_ms: number }>(
    ATTEMPTS,
  );
  return {
    pendingDeliveryCount: waiting.deliveries,
    pendingFanOutCount: waiting.fanOuts,
    events: events.rows.map((row) => ({
      id: publicId(row.id),
      deliveryCount: row.delivery_count,
      tailHash: row.tail_hash,
    })),
    terminals: terminals.rows.map((row) => ({
      deliveryId: idFromUuid("delivery", row.id),
      eventId: publicId(row.event_id),
      webhook: nameOf(row.webhook_id),
      kind: row.kind,
    })),
    attempts: attempts.rows.map((row) => ({
      deliveryId: idFromUuid("delivery", row.delivery_id),
      number: row.number,
      startedAtMs: row.started_at_ms,
      recordedAtMs: millisecondsOfUuid(row.id),
    })),
  };
}

/** The time in a UUIDv7: RFC 9562, section 5.7. */
function millisecondsOfUuid(uuid: string): number {
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}
