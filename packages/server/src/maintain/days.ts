// Days, retention classes and the names of partitions: pure arithmetic on UTC days and UUIDv7 bounds.
// It must never depend on the time zone of the process or of the database.

/** Insert-only history, partitioned by retention class and then by the day in the row's id. */
export const HISTORY_TABLES = ["event", "attempt", "dead_letter", "cancelled_delivery"] as const;
export type HistoryTable = (typeof HISTORY_TABLES)[number];

/** The classes that a tenant or an event type can have, in days. */
export const RETENTION_CLASSES = [7, 30, 90, 400, 3650] as const;
/** Partitions of this class always exist: it is what a new tenant gets. */
export const DEFAULT_RETENTION_CLASS = 90;

export const DAY_MS = 86_400_000;

/** The first millisecond of the UTC day that `timeMs` lies in. */
export function startOfDay(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS) * DAY_MS;
}

/** The smallest UUID that a UUIDv7 minted at or after `timeMs` can be compared with: the milliseconds, then zeros. */
export function lowestUuidAt(timeMs: number): string {
  // Estimated database time has fractions; an id has none.
  const hex = Math.floor(timeMs).toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-0000-0000-000000000000`;
}

/** `event_c90`: all days of one retention class. */
export function classPartitionName(table: HistoryTable, retentionClass: number): string {
  return `${table}_c${retentionClass}`;
}

/** `event_c90_20261123`: one UTC day. */
export function dayPartitionName(table: HistoryTable, retentionClass: number, dayMs: number): string {
  const day = new Date(dayMs).toISOString().slice(0, 10).replaceAll("-", "");
  return `${classPartitionName(table, retentionClass)}_${day}`;
}

export interface DayPartition {
  readonly table: HistoryTable;
  readonly retentionClass: number;
  readonly dayMs: number;
  readonly name: string;
}

const DAY_PARTITION = new RegExp(`^(${HISTORY_TABLES.join("|")})_c(\\d+)_(\\d{4})(\\d{2})(\\d{2})$`);

/** Reads a day partition's name; null for every other name. */
export function parseDayPartition(name: string): DayPartition | null {
  const match = DAY_PARTITION.exec(name);
  if (match === null) return null;
  const [, table, retentionClass, year, month, day] = match;
  return {
    table: table as HistoryTable,
    retentionClass: Number(retentionClass),
    dayMs: Date.UTC(Number(year), Number(month) - 1, Number(day)),
    name,
  };
}

/** Whether all events of a day have reached their age: the whole partition may go. */
export function isDayExpired(dayMs: number, retentionClass: number, nowMs: number): boolean {
  return dayMs + (1 + retentionClass) * DAY_MS <= nowMs;
}

/** Events older than this go within a day, so what is still owed of them becomes dead letters now. */
export function expiryCutoffMs(retentionClass: number, nowMs: number): number {
  return startOfDay(nowMs) - (retentionClass - 1) * DAY_MS;
}
