// Statements that make many dead letters pending again. API role, inside asTenant, the tenant clause written all the
// same. Not prepared by name: the bounds prune partitions at planning time, which needs the values.
import type { IdSpan } from "../lib/id-bounds.ts";
import type { Executor } from "../storage/pools.ts";
import { revivalOf, withTheirBatches } from "./retry.sql.ts";

export interface DeadLetterFilter {
  readonly webhookUuid: string | null;
  readonly reason: string | null;
  /** An event type, or a prefix that ends in a full stop when `isPrefix`. */
  readonly type: { readonly text: string; readonly isPrefix: boolean } | null;
  /** Of the deliveries' ids. */
  readonly span: IdSpan;
}

export interface DeadLetterKey {
  id: string;
  webhook_id: string;
  retention_class: number;
}

const RETENTION_CLASSES = [7, 30, 90, 400, 3650];

/**
 * The oldest dead letters of webhooks that are enabled: with a webhook by dead_letter_webhook, otherwise by primary key,
 * a branch for each retention class. Those of other webhooks stay: there is nobody to deliver them to.
 */
export async function selectRetryable(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: DeadLetterFilter,
  limit: number,
): Promise<DeadLetterKey[]> {
  const { text, values } = retryable(tenantUuid, livemode, filter, limit);
  const { rows } = await db.query<DeadLetterKey>({ text: `${text} order by id limit $5`, values });
  return rows;
}

/** How many there are, counted up to `limit`; as `selectRetryable`. */
export async function countRetryable(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  filter: DeadLetterFilter,
  limit: number,
): Promise<number> {
  const { text, values } = retryable(tenantUuid, livemode, filter, limit);
  const { rows } = await db.query<{ count: number }>({
    text: `select count(*) as count from (${text} limit $5) counted`,
    values,
  });
  return rows[0]?.count ?? 0;
}

function retryable(
  tenantUuid: string,
  livemode: boolean,
  filter: DeadLetterFilter,
  limit: number,
): { text: string; values: unknown[] } {
  const values: unknown[] = [tenantUuid, livemode, filter.span.fromUuid, filter.span.beforeUuid, limit];
  const use = (value: unknown): string => `$${values.push(value)}`;
  let clauses = "";
  if (filter.webhookUuid !== null) clauses += ` and t.webhook_id = ${use(filter.webhookUuid)}`;
  if (filter.reason !== null) clauses += ` and t.reason = ${use(filter.reason)}`;
  if (filter.type !== null) {
    const type = `(select e.type from event e
        where e.tenant_id = $1 and e.retention_class = t.retention_class and e.id = t.event_id)`;
    clauses += filter.type.isPrefix
      ? ` and starts_with(${type}, ${use(filter.type.text)})`
      : ` and ${type} = ${use(filter.type.text)}`;
  }
  const ofClasses =
    filter.webhookUuid === null ? RETENTION_CLASSES.map((days) => ` and t.retention_class = ${days}`) : [""];
  const branches = ofClasses.map(
    (ofClass) => `(select t.id, t.webhook_id, t.retention_class
      from dead_letter t
      where t.tenant_id = $1${ofClass} and t.id >= $3 and t.id < $4${clauses}
        and (select w.livemode = $2 and w.status = 'enabled' from webhook w where w.tenant_id = $1 and w.id = t.webhook_id)
      order by t.id
      limit $5)`,
  );
  return { text: `select * from (${branches.join("\nunion all\n")}) found`, values };
}

/** Those of the webhooks that are enabled, by primary key, locked against a change of status until the transaction ends. */
export async function lockEnabledWebhooks(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  webhookUuids: readonly string[],
): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    text: `select id from webhook
      where tenant_id = $1 and id = any ($2::uuid[]) and livemode = $3 and status = 'enabled'
      order by id
      for share`,
    values: [tenantUuid, webhookUuids, livemode],
  });
  return rows.map((row) => row.id);
}

/**
 * Dead letters become the pending deliveries that they were, as reviveDeadLetter does with one. By dead_letter_webhook.
 * @returns how many: one that somebody else took meanwhile is left out, the rest of a batch counts
 */
export async function reviveDeadLetters(
  db: Executor,
  tenantUuid: string,
  keys: readonly DeadLetterKey[],
  dueAt: string,
): Promise<number> {
  const { rowCount } = await db.query({
    text: revivalOf(`webhook_id = any ($2::uuid[]) and ${withTheirBatches("dead_letter", "$3")}`, "$4"),
    values: [tenantUuid, [...new Set(keys.map((key) => key.webhook_id))], keys.map((key) => key.id), dueAt],
  });
  return rowCount ?? 0;
}
