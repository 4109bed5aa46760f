// The list of events of a webhook's own read key: what the receiver was to get, so that it can reconcile by itself.
// Complete and without repetition over all pages; must never show an event that the webhook has no delivery of.
import type { IdSpan } from "../../lib/id-bounds.ts";
import type { Executor } from "../../storage/pools.ts";
import { findEventsOfWebhook } from "../../storage/webhook-events.ts";
import { DELIVERY_STATES } from "./deliveries.sql.ts";
import { type EventFilter, type EventHeadRow, selectEventHeads } from "./events.sql.ts";

export interface WebhookReader {
  readonly tenantUuid: string;
  readonly livemode: boolean;
  readonly webhookUuid: string;
}

/** Up to `limit` events of a span, newest first; fewer only when there are no more. */
export async function eventsOfWebhook(
  db: Executor,
  reader: WebhookReader,
  filter: EventFilter,
  span: IdSpan,
  limit: number,
): Promise<EventHeadRow[]> {
  const { tenantUuid, livemode, webhookUuid } = reader;
  const query = {
    webhookUuid,
    places: DELIVERY_STATES,
    types: typesOf(filter.type),
    reference: filter.reference,
    withPayload: false,
    order: "newest_first",
  } as const;
  const found: EventHeadRow[] = [];
  let { beforeUuid } = span;
  for (;;) {
    const wanted = limit - found.length;
    const part = { fromUuid: span.fromUuid, beforeUuid };
    const keys = await findEventsOfWebhook(db, tenantUuid, { ...query, span: part }, wanted);
    // An event can be gone while the attempt that delivered it a day later is still there.
    found.push(...(await selectEventHeads(db, tenantUuid, livemode, keys)));
    const last = keys.at(-1);
    if (last === undefined || keys.length < wanted || found.length >= limit) return found;
    beforeUuid = last.event_id;
  }
}

function typesOf(type: EventFilter["type"]): { exact: string[]; prefixes: string[] } | null {
  if (type === null) return null;
  return type.isPrefix ? { exact: [], prefixes: [type.text] } : { exact: [type.text], prefixes: [] };
}
