// The events that a webhook was owed, in the order of their ids: the receiver's own list, and what a replay of its past
// consists of. Must be complete while deliveries change their state: each window of time is read in one statement.
import { type IdSpan, lowestUuid, millisecondsOfUuid } from "../lib/id-bounds.ts";
import type { Executor } from "./pools.ts";
import {
  selectEventsInWindow,
  selectWindowEdge,
  type WebhookEventRow,
  type WebhookEventsQuery,
} from "./webhook-events.sql.ts";

/**
 * Up to `limit` events, each once; fewer only when there are no more.
 *
 * Deliveries in four states are four indexes to merge, and a delivery may move from one to another between two looks. So
 * the first statement only proposes how far to look, such that no source gives much more than is wanted, and the second
 * reads everything up to there in one snapshot. A window ends with a whole millisecond, within which deliveries are not
 * in the order of their events.
 */
export async function findEventsOfWebhook(
  db: Executor,
  tenantUuid: string,
  query: WebhookEventsQuery,
  limit: number,
): Promise<WebhookEventRow[]> {
  const found: WebhookEventRow[] = [];
  let { span } = query;
  for (;;) {
    const wanted = limit - found.length;
    const edge = await selectWindowEdge(db, tenantUuid, { ...query, span }, wanted);
    const window = edge === null ? span : windowTo(edge, span, query.order);
    found.push(...(await selectEventsInWindow(db, tenantUuid, { ...query, span: window }, wanted)));
    const rest = restOf(span, window, query.order);
    if (found.length >= limit || rest.fromUuid >= rest.beforeUuid) return found;
    span = rest;
  }
}

function windowTo(edgeUuid: string, span: IdSpan, order: WebhookEventsQuery["order"]): IdSpan {
  const edgeMs = millisecondsOfUuid(edgeUuid);
  if (order === "newest_first") {
    const fromUuid = lowestUuid(edgeMs);
    return { ...span, fromUuid: fromUuid > span.fromUuid ? fromUuid : span.fromUuid };
  }
  const beforeUuid = lowestUuid(edgeMs + 1);
  return { ...span, beforeUuid: beforeUuid < span.beforeUuid ? beforeUuid : span.beforeUuid };
}

function restOf(span: IdSpan, window: IdSpan, order: WebhookEventsQuery["order"]): IdSpan {
  return order === "newest_first"
    ? { fromUuid: span.fromUuid, beforeUuid: window.fromUuid }
    : { fromUuid: window.beforeUuid, beforeUuid: span.beforeUuid };
}
