// By what replayed deliveries of an ordered webhook are ordered: by its own rule as it is now, asked of the stored event, as
// routing asks it of a fresh one. Must give an ordered webhook a key for every event: a replay that flows beside its key's
// other deliveries is a surprise that nobody sees.
import { idFromUuid } from "@posthorn/contract";
import { millisecondsOfUuid } from "../lib/id-bounds.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Executor } from "../storage/pools.ts";
import { selectEventsByKeys, type StoredEventRow } from "./job-events.sql.ts";

/** A stored event as route's matcher and ordering keys take it. */
export interface EventToMatch {
  readonly publicId: string;
  readonly type: string;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly data: Buffer;
  readonly context: Buffer | null;
  readonly hasLongNumber: boolean;
}

/** Declared here, made by route. `sentKey` is what the sender gave with the event; null where the webhook is not ordered. */
export type OrderingKeyOf = (webhook: Webhook, event: EventToMatch, sentKey: string | null) => string | null;

type EventKey = { readonly id: string; readonly retention_class: number };

/** Payloads may be large: so many are read at a time. */
const EVENTS_PER_READ = 50;

export function eventOf(row: Omit<StoredEventRow, "retention_class" | "erased_at" | "ordering_key">): EventToMatch {
  return {
    publicId: row.sender_id ?? idFromUuid("event", row.id),
    type: row.type,
    timestamp: row.sent_timestamp ?? new Date(millisecondsOfUuid(row.id)).toISOString(),
    livemode: row.livemode,
    data: row.data,
    context: row.context,
    hasLongNumber: row.has_long_number,
  };
}

/** The keys of these events, in their order; an event that is gone has none. Reads nothing for an unordered webhook. */
export async function orderingKeysOf(
  db: Executor,
  webhook: Webhook,
  events: readonly EventKey[],
  orderingKeyOf: OrderingKeyOf,
): Promise<(string | null)[]> {
  if (webhook.orderingKey === null) return events.map(() => null);
  const keys = new Map<string, string | null>();
  for (let from = 0; from < events.length; from += EVENTS_PER_READ) {
    const part = events.slice(from, from + EVENTS_PER_READ);
    const wanted = part.map(({ id, retention_class }) => ({ event_id: id, retention_class }));
    for (const row of await selectEventsByKeys(db, webhook.tenantUuid, wanted)) {
      keys.set(row.id, orderingKeyOf(webhook, eventOf(row), row.ordering_key));
    }
  }
  return events.map(({ id }) => keys.get(id) ?? null);
}
