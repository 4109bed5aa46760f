// Statements that put a corrected payload in the place of an event's own, for one delivery. API role, inside asTenant, the
// tenant clause written all the same.
import type { Executor } from "../storage/pools.ts";
import { makingDueOf } from "./retry.sql.ts";

export interface CorrectableRow {
  event_id: string;
  webhook_id: string;
  retention_class: number;
  batch_id: string | null;
  /** Held, and so may be corrected; null: pending, or a dead letter. */
  held_reason: string | null;
  is_dead: boolean;
  is_erased: boolean;
  data: Buffer;
  context: Buffer | null;
}

/** A pending delivery or a dead letter with its event's own payload, by primary keys. */
export async function selectCorrectable(
  db: Executor,
  tenantUuid: string,
  deliveryUuid: string,
): Promise<CorrectableRow | null> {
  const { rows } = await db.query<CorrectableRow>({
    name: "select_correctable",
    text: `select d.*, e.data, e.context, e.erased_at is not null as is_erased
      from (
        select event_id, webhook_id, retention_class, batch_id, held_reason, false as is_dead
        from delivery where tenant_id = $1 and id = $2
        union all
        select event_id, webhook_id, retention_class, batch_id, null, true
        from dead_letter where tenant_id = $1 and id = $2
      ) d
      join event e on e.tenant_id = $1 and e.retention_class = d.retention_class and e.id = d.event_id
      limit 1`,
    values: [tenantUuid, deliveryUuid],
  });
  return rows[0] ?? null;
}

export interface StoredCorrection {
  id: string;
  corrected_at: Date;
  data: Buffer;
  context: Buffer | null;
}

/** What is in force for a delivery, by primary key. */
export async function selectLatestCorrection(
  db: Executor,
  tenantUuid: string,
  deliveryUuid: string,
): Promise<StoredCorrection | null> {
  const { rows } = await db.query<StoredCorrection>({
    name: "select_latest_correction",
    text: `select id, corrected_at, data, context from correction
      where tenant_id = $1 and delivery_id = $2
      order by id desc limit 1`,
    values: [tenantUuid, deliveryUuid],
  });
  return rows[0] ?? null;
}

export interface NewCorrection {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly deliveryUuid: string;
  readonly eventUuid: string;
  readonly webhookUuid: string;
  readonly retentionClass: number;
  readonly at: string;
  readonly by: string;
  readonly requestId: string;
  readonly note: string | null;
  readonly changed: readonly string[];
  readonly data: Buffer;
  /** Null: the event's. */
  readonly context: Buffer | null;
}

export async function insertCorrection(db: Executor, correction: NewCorrection): Promise<void> {
  await db.query({
    name: "insert_correction",
    text: `insert into correction (tenant_id, id, delivery_id, event_id, webhook_id, corrected_at, retention_class,
        corrected_by, request_id, note, changed, data, context)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text[], $12, $13)`,
    values: [
      correction.tenantUuid,
      correction.uuid,
      correction.deliveryUuid,
      correction.eventUuid,
      correction.webhookUuid,
      correction.at,
      correction.retentionClass,
      correction.by,
      correction.requestId,
      correction.note,
      correction.changed,
      correction.data,
      correction.context,
    ],
  });
}

/** A held delivery falls due, as makeDueNow does it. False: it is not held any more. */
export async function makeHeldDueNow(
  db: Executor,
  tenantUuid: string,
  deliveryUuid: string,
  dueAt: string,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: "make_held_due_now",
    text: `${makingDueOf("$2", "$3", "corrected")} and held_reason is not null`,
    values: [tenantUuid, [deliveryUuid], dueAt],
  });
  return (rowCount ?? 0) > 0;
}
