// Statements that find the events which a webhook was owed, delivered or not. webhook-events.ts puts them together.
// Any role that sees the tenant; the tenant clause is written all the same. They start from the webhook's deliveries and
// never from the tenant's events, of which the webhook may know one in a million. Not prepared by name: the bounds prune
// partitions, and choose the index, at planning time, which needs the values.
import { attemptsFrom, highestUuid, type IdSpan, lowestUuid, millisecondsOfUuid } from "../lib/id-bounds.ts";
import type { Executor } from "./pools.ts";

/** Where a delivery can be found. */
export type DeliveryPlace = "pending" | "delivered" | "dead_letter" | "cancelled";

export interface WebhookEventsQuery {
  readonly webhookUuid: string;
  readonly places: readonly DeliveryPlace[];
  /** Event types, and prefixes that end in a full stop; null: all. */
  readonly types: { readonly exact: readonly string[]; readonly prefixes: readonly string[] } | null;
  readonly reference: string | null;
  /** Leaves erased events out. */
  readonly withPayload: boolean;
  /** Of the events' ids. */
  readonly span: IdSpan;
  readonly order: "newest_first" | "oldest_first";
}

export interface WebhookEventRow {
  event_id: string;
  retention_class: number;
}

interface Source {
  readonly from: string;
  readonly id: string;
  readonly where: string;
}

const SOURCES: Readonly<Record<DeliveryPlace, Source>> = {
  pending: { from: "delivery t", id: "t.id", where: "true" },
  delivered: { from: "attempt t", id: "t.delivery_id", where: "t.ends_delivery and t.outcome = 'delivered'" },
  dead_letter: { from: "dead_letter t", id: "t.id", where: "true" },
  cancelled: { from: "cancelled_delivery t", id: "t.id", where: "true" },
};

/** So many pending deliveries of one webhook are read whole, by delivery_due; where there are more, by primary key. */
const READ_WHOLE = 20_000;
const FEW = `with few as materialized (
    select t.event_id, t.retention_class, t.replayed
    from delivery t
    where t.lane = (select w.lane from webhook w where w.tenant_id = $1 and w.id = $2) and t.webhook_id = $2
      and t.tenant_id = $1
    limit ${READ_WHOLE + 1}
  )`;
const IS_FEW = `(select count(*) from few) <= ${READ_WHOLE}`;

/**
 * The first delivery id in the order asked for at which some source has come to `limit` deliveries; null when none does.
 * By the sources' indexes by webhook: attempt_delivered, dead_letter_webhook, cancelled_delivery_webhook.
 */
export async function selectWindowEdge(
  db: Executor,
  tenantUuid: string,
  query: WebhookEventsQuery,
  limit: number,
): Promise<string | null> {
  const statement = startStatement(tenantUuid, query);
  const direction = query.order === "newest_first" ? "desc" : "asc";
  const offset = statement.use(limit - 1);
  const branches = query.places.map((place) => {
    const { id } = SOURCES[place];
    return `(select ${id} as id ${originals(place, statement)} order by ${id} ${direction} offset ${offset} limit 1)`;
  });
  const { rows } = await db.query<{ id: string }>({
    text: `${withFew(query)}
      select id from (${branches.join("\nunion all\n")}) edge order by id ${direction} limit 1`,
    values: statement.values,
  });
  return rows[0]?.id ?? null;
}

/**
 * Up to `limit` events of the span, each once, in the order of their ids. A delivery's id carries the millisecond of its
 * event, so a span of events is one of delivery ids; replays carry their own time and are few, and the partial indexes
 * `…_replayed` hold them by event.
 */
export async function selectEventsInWindow(
  db: Executor,
  tenantUuid: string,
  query: WebhookEventsQuery,
  limit: number,
): Promise<WebhookEventRow[]> {
  const statement = startStatement(tenantUuid, query);
  const direction = query.order === "newest_first" ? "desc" : "asc";
  const most = statement.use(limit);
  const branches = query.places.flatMap((place) => [
    ...(place === "pending" ? [`select t.event_id, t.retention_class ${fewPending(statement)}`] : []),
    `select t.event_id, t.retention_class ${originals(place, statement)}`,
    `select t.event_id, t.retention_class ${replays(place, statement)}`,
  ]);
  const { rows } = await db.query<WebhookEventRow>({
    text: `${withFew(query)}
      select event_id, max(retention_class) as retention_class
      from (${branches.join("\nunion all\n")}) found
      group by event_id
      order by event_id ${direction}
      limit ${most}`,
    values: statement.values,
  });
  return rows;
}

interface Statement {
  readonly values: unknown[];
  readonly use: (value: number) => string;
  /** Where attempts and replays begin: younger than their events, but for the clock of a node that lags. */
  readonly notBefore: string;
  readonly wanted: string;
}

/** `$1` tenant, `$2` webhook, `$3` and `$4` bounds of delivery ids (inclusive), `$5` and `$6` of event ids. */
function startStatement(tenantUuid: string, query: WebhookEventsQuery): Statement {
  const { fromUuid, beforeUuid } = query.span;
  const lowest = lowestUuid(millisecondsOfUuid(fromUuid));
  const values: unknown[] = [
    tenantUuid,
    query.webhookUuid,
    lowest,
    highestUuid(millisecondsOfUuid(beforeUuid)),
    fromUuid,
    beforeUuid,
  ];
  const use = (value: number): string => `$${values.push(value)}::bigint`;
  // Of our own making, and used only where attempts or replays are read: PostgreSQL refuses a parameter that nobody uses.
  const notBefore = `'${attemptsFrom(fromUuid)}'`;
  return { values, use, notBefore, wanted: eventFilter(query, values) };
}

const EVENT_BOUNDS = "t.event_id >= $5 and t.event_id < $6";

/** Deliveries that were made with their events. */
function originals(place: DeliveryPlace, { notBefore, wanted }: Statement): string {
  const { from, id, where } = SOURCES[place];
  return `from ${from}
    where t.tenant_id = $1 and t.webhook_id = $2 and ${id} >= $3 and ${id} <= $4 and not t.replayed and ${where}
      and ${EVENT_BOUNDS}${place === "delivered" ? ` and t.id >= ${notBefore}` : ""}${wanted}${
        place === "pending" ? ` and not (${IS_FEW})` : ""
      }`;
}

function replays(place: DeliveryPlace, { notBefore, wanted }: Statement): string {
  const { from, where } = SOURCES[place];
  return `from ${from}
    where t.tenant_id = $1 and t.webhook_id = $2 and t.replayed and t.id >= ${notBefore} and ${where}
      and ${EVENT_BOUNDS}${wanted}`;
}

function fewPending({ wanted }: Statement): string {
  return `from few t where not t.replayed and ${EVENT_BOUNDS} and ${IS_FEW}${wanted}`;
}

function withFew(query: WebhookEventsQuery): string {
  return query.places.includes("pending") ? FEW : "";
}

/** As a scalar, so that the order of the outer index is kept. */
function eventFilter(query: WebhookEventsQuery, values: unknown[]): string {
  const conditions: string[] = [];
  if (query.types !== null) {
    const exact = values.push(query.types.exact);
    const prefixes = values.push(query.types.prefixes);
    conditions.push(`(e.type = any ($${exact}::text[]) or e.type ^@ any ($${prefixes}::text[]))`);
  }
  if (query.reference !== null) conditions.push(`e.reference = $${values.push(query.reference)}`);
  if (query.withPayload) conditions.push("e.erased_at is null");
  if (conditions.length === 0) return "";
  return ` and (select ${conditions.join(" and ")} from event e
      where e.tenant_id = $1 and e.retention_class = t.retention_class and e.id = t.event_id)`;
}
