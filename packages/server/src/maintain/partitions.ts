// Makes the partitions that history will need and drops those whose time is over.
// It must never drop a day of which a delivery is still pending, and never delete single rows.
import type pg from "pg";
import { withLock, withLockIfFree } from "../storage/advisory-locks.sql.ts";
import type { Executor } from "../storage/pools.ts";
import {
  classPartitionName,
  DAY_MS,
  type DayPartition,
  DEFAULT_RETENTION_CLASS,
  dayPartitionName,
  HISTORY_TABLES,
  type HistoryTable,
  isDayExpired,
  parseDayPartition,
  RETENTION_CLASSES,
  startOfDay,
} from "./days.ts";
import {
  createClassPartition,
  createDayPartitions,
  detachPartition,
  dropDetached,
  finishDetach,
  hasPendingDeliveries,
  listPartitions,
  type PartitionRow,
} from "./partitions.sql.ts";

/** A node whose idea of time lags behind still finds yesterday; a week ahead is a week to notice that upkeep fails. */
const DAYS_BEHIND = 1;
const DAYS_AHEAD = 7;

/** A class is itself a partition, and each of its days one of that. */
interface MissingPartitions {
  readonly table: HistoryTable;
  readonly retentionClass: number;
  readonly withoutClass: boolean;
  readonly days: readonly number[];
}

/**
 * Makes what is missing from yesterday to a week ahead, for every history table and each class given (and 90, always).
 * Does nothing but one catalogue read when nothing is missing, so it may be called whenever in doubt: before a
 * tenant or an event type gets another class, and when the database says that a row has no partition (23514).
 * @param retentionClasses days; classes that are not in `RETENTION_CLASSES` are refused
 * @returns names of the tables made
 */
export async function ensurePartitions(
  ownerPool: pg.Pool,
  nowMs: number,
  retentionClasses: Iterable<number>,
): Promise<string[]> {
  const today = startOfDay(nowMs);
  const days = Array.from(
    { length: DAYS_BEHIND + 1 + DAYS_AHEAD },
    (_, index) => today + (index - DAYS_BEHIND) * DAY_MS,
  );
  return ensureDays(ownerPool, days, [DEFAULT_RETENTION_CLASS, ...retentionClasses]);
}

/** Makes the partitions of the days given, whichever they are; `ensurePartitions` is the usual way. */
export async function ensureDays(
  ownerPool: pg.Pool,
  days: readonly number[],
  retentionClasses: Iterable<number>,
): Promise<string[]> {
  const classes = [...new Set(retentionClasses)];
  for (const each of classes) {
    if (!(RETENTION_CLASSES as readonly number[]).includes(each)) throw new RangeError(`no retention class ${each}`);
  }
  if (findMissing(await listPartitions(ownerPool), days, classes).length === 0) return [];
  return withLock(ownerPool, "partitions", async (client) => {
    const made: string[] = [];
    // Looked at again under the lock: another node may have made them meanwhile.
    for (const missing of findMissing(await listPartitions(client), days, classes)) {
      made.push(...(await createMissing(client, missing)));
    }
    return made;
  });
}

/** Days after today for which every table of history has its partition, in each of these classes and the default one. */
export async function partitionDaysAhead(
  ownerPool: Executor,
  nowMs: number,
  retentionClasses: Iterable<number>,
): Promise<number> {
  const present = await listPartitions(ownerPool);
  const classes = [...new Set([DEFAULT_RETENTION_CLASS, ...retentionClasses])];
  const today = startOfDay(nowMs);
  let ahead = 0;
  while (ahead < DAYS_AHEAD && findMissing(present, [today + (ahead + 1) * DAY_MS], classes).length === 0) ahead += 1;
  return ahead;
}

function findMissing(
  present: readonly PartitionRow[],
  days: readonly number[],
  classes: readonly number[],
): MissingPartitions[] {
  const names = new Set(present.map((row) => row.name));
  const missing: MissingPartitions[] = [];
  for (const retentionClass of classes) {
    for (const table of HISTORY_TABLES) {
      const withoutClass = !names.has(classPartitionName(table, retentionClass));
      const missingDays = days.filter((dayMs) => !names.has(dayPartitionName(table, retentionClass, dayMs)));
      if (withoutClass || missingDays.length > 0) {
        missing.push({ table, retentionClass, withoutClass, days: missingDays });
      }
    }
  }
  return missing;
}

async function createMissing(client: pg.PoolClient, missing: MissingPartitions): Promise<string[]> {
  const { table, retentionClass, days } = missing;
  const made: string[] = [];
  if (missing.withoutClass) {
    await createClassPartition(client, table, retentionClass);
    made.push(classPartitionName(table, retentionClass));
  }
  if (days.length > 0) {
    await createDayPartitions(client, table, retentionClass, days);
    made.push(...days.map((dayMs) => dayPartitionName(table, retentionClass, dayMs)));
  }
  return made;
}

export interface DroppedPartitions {
  /** Names of the tables that are gone. */
  readonly dropped: string[];
  /** Days past their time that stay, because a delivery of their events is still pending. */
  readonly kept: string[];
}

/**
 * Drops the days of which every event has reached its age. What an interrupted call left behind (a detach that is
 * pending, a table detached and not dropped) is finished first.
 * @param engine reads `delivery` of all tenants
 * @returns null when another node is at it
 */
export async function dropExpiredPartitions(
  ownerPool: pg.Pool,
  engine: Executor,
  nowMs: number,
): Promise<DroppedPartitions | null> {
  if ((await findExpired(ownerPool, nowMs)).length === 0) return { dropped: [], kept: [] };
  return withLockIfFree(ownerPool, "retention", async (client) => {
    const dropped: string[] = [];
    const kept: string[] = [];
    for (const { partition, row } of await findExpired(client, nowMs)) {
      if (row.parent !== null && !row.detachPending && (await isOwed(engine, partition))) {
        kept.push(row.name);
        continue;
      }
      if (row.parent !== null && row.detachPending) await finishDetach(client, row.parent, row.name);
      else if (row.parent !== null) await detachPartition(client, row.parent, row.name);
      await dropDetached(client, row.name);
      dropped.push(row.name);
    }
    return { dropped, kept };
  });
}

interface Expired {
  readonly partition: DayPartition;
  readonly row: PartitionRow;
}

/** Interrupted work first: a parent with a detach pending refuses to detach another partition. */
async function findExpired(db: Executor, nowMs: number): Promise<Expired[]> {
  const expired = (await listPartitions(db)).flatMap((row): Expired[] => {
    const partition = parseDayPartition(row.name);
    if (partition === null || !isDayExpired(partition.dayMs, partition.retentionClass, nowMs)) return [];
    return [{ partition, row }];
  });
  return expired.sort((a, b) => Number(b.row.detachPending) - Number(a.row.detachPending));
}

/** Attempts may go by their own day; the rest goes, day by day, only when nothing is owed of that day's events. */
async function isOwed(engine: Executor, { table, retentionClass, dayMs }: DayPartition): Promise<boolean> {
  return table !== "attempt" && hasPendingDeliveries(engine, retentionClass, dayMs);
}
