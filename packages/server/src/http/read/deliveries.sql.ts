// Statements that read deliveries back, wherever they are: pending in `delivery`, otherwise in their terminal record
// (a delivered attempt, a dead letter, a cancelled delivery). One statement reads all four, so that a delivery that
// changes state meanwhile is seen once. API role, inside asTenant, the tenant clause written all the same.
import type { Executor } from "../../storage/pools.ts";
import type { IdSpan } from "./bounds.ts";

export const DELIVERY_STATES = ["pending", "delivered", "dead_letter", "cancelled"] as const;
export type DeliveryState = (typeof DELIVERY_STATES)[number];

export interface DeliveryRow {
  id: string;
  event_id: string;
  webhook_id: string;
  retention_class: number;
  webhook_version: number;
  attempt_count: number;
  policy_attempt_base: number;
  replayed: boolean;
  state: DeliveryState;
  /** When it is due, or when it ended; null while held. */
  at: Date | null;
  /** Why it is held, dead or cancelled. */
  reason: string | null;
}

export interface ListedDeliveryRow extends DeliveryRow {
  event_type: string;
  reference: string | null;
  sender_id: string | null;
}

/** Where a state is stored, and its columns in the shape of DeliveryRow. */
interface Source {
  readonly from: string;
  readonly id: string;
  readonly columns: string;
  /** Which rows of the table are such deliveries. */
  readonly where: string;
  /** True when the primary key begins with tenant and retention class, so that order by id needs the class. */
  readonly byClass: boolean;
}

const SHARED = "t.event_id, t.webhook_id, t.retention_class, t.webhook_version";
const SOURCES: Readonly<Record<DeliveryState, Source>> = {
  pending: {
    from: "delivery t",
    id: "t.id",
    columns: `t.id, ${SHARED}, t.attempt_count, t.policy_attempt_base, t.replayed, 'pending' as state,
      case when t.due_at < 'infinity' then t.due_at end as at, t.held_reason as reason`,
    where: "true",
    byClass: false,
  },
  delivered: {
    from: "attempt t",
    id: "t.delivery_id",
    columns: `t.delivery_id as id, ${SHARED}, t.number as attempt_count, 0::smallint as policy_attempt_base, t.replayed,
      'delivered' as state, t.started_at + t.duration_ms * interval '1 millisecond' as at, null as reason`,
    where: "t.ends_delivery and t.outcome = 'delivered'",
    byClass: false,
  },
  dead_letter: {
    from: "dead_letter t",
    id: "t.id",
    columns: `t.id, ${SHARED}, t.attempt_count, 0::smallint as policy_attempt_base, t.replayed, 'dead_letter' as state,
      t.dead_at as at, t.reason`,
    where: "true",
    byClass: true,
  },
  cancelled: {
    from: "cancelled_delivery t",
    id: "t.id",
    columns: `t.id, ${SHARED}, t.attempt_count, 0::smallint as policy_attempt_base, t.replayed, 'cancelled' as state,
      t.cancelled_at as at, t.reason`,
    where: "true",
    byClass: true,
  },
};

const RETENTION_CLASSES = [7, 30, 90, 400, 3650];
/** An attempt is never older than its delivery, but its id may come from a node whose time lags; partitions are days. */
const ATTEMPT_LAG = "interval '1 hour'";

export interface DeliveryFilter {
  readonly states: readonly DeliveryState[];
  readonly webhookUuid: string | null;
  readonly type: { readonly text: string; readonly isPrefix: boolean } | null;
}

/** The mode is the webhook's: primary key of webhook, as a scalar so that the order of the outer index is kept. */
const MODE = "(select w.livemode from webhook w where w.tenant_id = $1 and w.id = t.webhook_id)";
const EVENT_OF_ROW = "e.tenant_id = $1 and e.retention_class = t.retention_class and e.id = t.event_id";

/**
 * Deliveries of a span, newest first, with what to call their events. `delivery`, `dead_letter` and
 * `cancelled_delivery` are read from their primary keys (a branch per retention class), delivered attempts from
 * attempt_delivery, or with a webhook from attempt_delivered and dead_letter_webhook.
 * Not prepared by name: the bounds prune partitions at planning time, which needs the values.
 */
export async function selectDeliveries(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: DeliveryFilter,
  span: IdSpan,
  limit: number,
): Promise<ListedDeliveryRow[]> {
  const values: unknown[] = [tenantUuid, livemode, span.fromUuid, span.beforeUuid, limit];
  let clauses = ` and ${MODE} = $2`;
  if (filter.webhookUuid !== null) {
    values.push(filter.webhookUuid);
    clauses += ` and t.webhook_id = $${values.length}`;
  }
  if (filter.type !== null) {
    values.push(filter.type.text);
    const type = `(select e.type from event e where ${EVENT_OF_ROW})`;
    clauses += filter.type.isPrefix
      ? ` and starts_with(${type}, $${values.length})`
      : ` and ${type} = $${values.length}`;
  }
  const branches = filter.states.flatMap((state) => branchesOf(state, clauses));
  return withEvents(db, branches, values);
}

function branchesOf(state: DeliveryState, clauses: string): string[] {
  const source = SOURCES[state];
  // Attempts are partitioned by their own time, which begins with the delivery's.
  const pruned = state === "delivered" ? " and t.id >= $3" : "";
  const branch = (ofClass: string) => `(select ${source.columns} from ${source.from}
    where t.tenant_id = $1${ofClass} and ${source.id} >= $3 and ${source.id} < $4${pruned} and ${source.where}${clauses}
    order by ${source.id} desc
    limit $5)`;
  return source.byClass ? RETENTION_CLASSES.map((days) => branch(` and t.retention_class = ${days}`)) : [branch("")];
}

async function withEvents(db: Executor, branches: string[], values: unknown[]): Promise<ListedDeliveryRow[]> {
  const { rows } = await db.query<ListedDeliveryRow>({
    text: `select t.*, e.type as event_type, e.reference, e.sender_id
      from (${branches.join("\nunion all\n")}\norder by id desc\nlimit $5) t
      left join lateral (select type, reference, sender_id from event e where ${EVENT_OF_ROW}) e on true
      order by t.id desc`,
    values,
  });
  return rows;
}

/** An event, and the ids that its deliveries can have. */
export interface EventSpan {
  readonly uuid: string;
  readonly retentionClass: number;
}
