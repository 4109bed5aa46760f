// Statements that look at, make and drop the partitions of history. Names come from days.ts, never from outside.
import type pg from "pg";
import type { Executor } from "../storage/pools.ts";
import {
  classPartitionName,
  DAY_MS,
  dayPartitionName,
  HISTORY_TABLES,
  type HistoryTable,
  lowestUuidAt,
} from "./days.ts";

export interface PartitionRow {
  readonly name: string;
  /** Null for a table that was detached and not yet dropped. */
  readonly parent: string | null;
  /** A detach was interrupted: it has to be finished before the parent can lose another partition. */
  readonly detachPending: boolean;
}

/** Every partition of history, and every table left over from one, by name. */
export async function listPartitions(db: Executor): Promise<PartitionRow[]> {
  const { rows } = await db.query<{ name: string; parent: string | null; detach_pending: boolean }>({
    text: `
      select child.relname as name, parent.relname as parent, coalesce(link.inhdetachpending, false) as detach_pending
      from pg_class child
      left join pg_inherits link on link.inhrelid = child.oid
      left join pg_class parent on parent.oid = link.inhparent
      where child.relnamespace = current_schema()::regnamespace
        and child.relkind in ('r', 'p')
        and child.relname ~ $1
      order by child.relname`,
    values: [`^(${HISTORY_TABLES.join("|")})_c[0-9]+(_[0-9]{8})?$`],
  });
  return rows.map((row) => ({ name: row.name, parent: row.parent, detachPending: row.detach_pending }));
}

/** Retention classes that events are being stored under now. */
export async function listRetentionClasses(db: Executor): Promise<number[]> {
  const { rows } = await db.query<{ retention_class: number }>({
    text: `
      select retention_class from tenant
      union
      select retention_class from event_type where retention_class is not null`,
  });
  return rows.map((row) => row.retention_class);
}

/**
 * Makes the partition that holds all days of a class. `like` and `attach` instead of `partition of`: attaching takes
 * a lock that lets inserts through, `partition of` takes one that stops them.
 */
export async function createClassPartition(
  client: pg.ClientBase,
  table: HistoryTable,
  retentionClass: number,
): Promise<void> {
  const name = classPartitionName(table, retentionClass);
  await client.query(`
    create table ${name} (like ${table} including all) partition by range (id);
    alter table ${name} enable row level security, force row level security;
    alter table ${table} attach partition ${name} for values in (${retentionClass})`);
}

/**
 * Makes the partitions of several days in one round trip.
 *
 * Row-level security without a policy closes the direct way to a partition; through its parent the parent's hold.
 * Rows of these tables are written once. Freezing them at their first vacuum (freeze_min_age = 0) spares every day's
 * table a second rewrite when its transactions grow old: at 200 transactions a second that is after 12 days. By fixed
 * shares of 5 %, a day of any size is vacuumed in parts instead of at once.
 */
export async function createDayPartitions(
  client: pg.ClientBase,
  table: HistoryTable,
  retentionClass: number,
  days: readonly number[],
): Promise<void> {
  const parent = classPartitionName(table, retentionClass);
  const statements = days.map((dayMs) => {
    const name = dayPartitionName(table, retentionClass, dayMs);
    return `
      create table ${name} (like ${parent} including all) with (
        autovacuum_freeze_min_age = 0,
        autovacuum_vacuum_insert_threshold = 10000,
        autovacuum_vacuum_insert_scale_factor = 0.05
      );
      alter table ${name} enable row level security, force row level security;
      alter table ${parent} attach partition ${name}
        for values from ('${lowestUuidAt(dayMs)}') to ('${lowestUuidAt(dayMs + DAY_MS)}');`;
  });
  // Several statements in one simple query are one transaction.
  await client.query(statements.join(""));
}

/** Takes a partition out while others read and write; cannot run inside a transaction. */
export async function detachPartition(client: pg.PoolClient, parent: string, name: string): Promise<void> {
  await client.query(`alter table ${parent} detach partition ${name} concurrently`);
}

/** Finishes a detach that was interrupted. */
export async function finishDetach(client: pg.PoolClient, parent: string, name: string): Promise<void> {
  await client.query(`alter table ${parent} detach partition ${name} finalize`);
}

export async function dropDetached(client: pg.PoolClient, name: string): Promise<void> {
  await client.query(`drop table ${name}`);
}

/** Whether something is still owed of a day's events. Reads all of `delivery`, which holds only what is pending. */
export async function hasPendingDeliveries(db: Executor, retentionClass: number, dayMs: number): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>({
    text: `
      select exists (
        select from delivery
        where retention_class = $1 and event_id >= $2 and event_id < $3
      ) as found`,
    values: [retentionClass, lowestUuidAt(dayMs), lowestUuidAt(dayMs + DAY_MS)],
  });
  return rows[0]?.found === true;
}
