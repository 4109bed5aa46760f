// What an operator must hear of before it becomes a fault: rules over two figures, and when to say a thing again. Pure.
// Each alarm says what was seen and what to do. Must never name a statement or a payload.
import type { SharedReading } from "./shared-figures.ts";

export type AlarmCode =
  | "SNAPSHOT_HELD"
  | "PARTITIONS_SHORT"
  | "UPKEEP_FAILING"
  | "BACKLOG_GROWING"
  | "LANES_UNOWNED"
  | "DIGEST_FAILING";

export interface Alarm {
  readonly code: AlarmCode;
  /** Alarms of one code that differ in this are different alarms. */
  readonly about: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

const SNAPSHOT_MAX_AGE_S = 60;
const PARTITION_LEAST_DAYS = 3;
const UPKEEP_FAILURES = 3;
/** A backlog is nothing to speak of before it is so old; then it has to have grown in each of so many readings. */
const BACKLOG_LEAST_AGE_S = 120;
const BACKLOG_READINGS = 3;
/** A takeover takes 12 s. */
const UNOWNED_MAX_AGE_S = 30;
/** A mail server that restarts is nothing to speak of. */
const DIGEST_MAX_AGE_S = 600;

/** Alarms about what all nodes see alike. @param ages of the oldest due delivery in earlier readings, newest last */
export function sharedAlarms(reading: SharedReading, ages: readonly number[]): Alarm[] {
  const alarms: Alarm[] = [];
  const { oldestSnapshot, partitionDaysAhead, pending, unownedLanes } = reading;
  if (oldestSnapshot !== null && oldestSnapshot.age_s > SNAPSHOT_MAX_AGE_S) {
    const ageS = Math.round(oldestSnapshot.age_s);
    alarms.push({
      code: "SNAPSHOT_HELD",
      about: oldestSnapshot.holder,
      message: `a transaction has been open for ${ageS} s, and nothing that was deleted since can be cleaned up: ${oldestSnapshot.holder}. End it (select pg_terminate_backend(pid), or rollback prepared), or deliveries become slow`,
      fields: { ageS, holder: oldestSnapshot.holder },
    });
  }
  if (partitionDaysAhead < PARTITION_LEAST_DAYS) {
    alarms.push({
      code: "PARTITIONS_SHORT",
      about: "",
      message: `history has partitions for ${partitionDaysAhead} days ahead only; without one for today nothing can be stored. Look why upkeep (partitions) fails: a lock that is held, a full disk, or a login that may not make tables`,
      fields: { daysAhead: partitionDaysAhead },
    });
  }
  const recent = [...ages.slice(1 - BACKLOG_READINGS), dueAge(reading, true)];
  const ageS = Math.round(recent.at(-1) ?? 0);
  const isGrowing = recent.every((age, i) => i === 0 || age > (recent[i - 1] as number));
  if (recent.length === BACKLOG_READINGS && isGrowing && ageS > BACKLOG_LEAST_AGE_S) {
    const due = pending.find((row) => row.is_owned && row.state === "due")?.deliveries ?? 0;
    alarms.push({
      code: "BACKLOG_GROWING",
      about: "",
      message: `${due} deliveries are due, the oldest for ${ageS} s, and it grows. If it is one webhook, its receiver is slow or its rate limit is below what it is sent; if it is many, start another node, or look at the database`,
      fields: { due, oldestS: ageS },
    });
  }
  const unownedS = Math.round(dueAge(reading, false));
  if (unownedS > UNOWNED_MAX_AGE_S) {
    alarms.push({
      code: "LANES_UNOWNED",
      about: "",
      message: `deliveries have been due for ${unownedS} s in lanes that nobody works for (${unownedLanes} of 256). Nodes take free lanes at each beat: look whether they reach the database, and start one if there is none`,
      fields: { oldestS: unownedS, lanes: unownedLanes },
    });
  }
  for (const { channel, tenants, oldest_s: oldestS } of reading.digestFailures) {
    if (oldestS <= DIGEST_MAX_AGE_S) continue;
    const minutes = Math.round(oldestS / 60);
    alarms.push({
      code: "DIGEST_FAILING",
      about: channel,
      message: `people of ${tenants} tenants could not be told of trouble by ${channel} for ${minutes} minutes. The warnings before this one say why; look at ${channel === "email" ? "the mail server (POSTHORN_SMTP_URL)" : "the chat's webhook (posthorn digest)"}. What is 3 days old is given up`,
      fields: { channel, tenants, minutes },
    });
  }
  return alarms;
}

/** For how long the oldest delivery has been due that could be sent. */
export function dueAge(reading: SharedReading, isOwned: boolean): number {
  return reading.pending.find((row) => row.is_owned === isOwned && row.state === "due")?.oldest_due_s ?? 0;
}

/** @param failures how often each job of upkeep has failed since it last went well */
export function upkeepAlarms(failures: ReadonlyMap<string, number>): Alarm[] {
  return [...failures]
    .filter(([, count]) => count >= UPKEEP_FAILURES)
    .map(([job, count]) => ({
      code: "UPKEEP_FAILING",
      about: job,
      message: `upkeep (${job}) has failed ${count} times in a row. The warnings before this one say why; until it goes well, its work is left undone`,
      fields: { job, failures: count },
    }));
}

/** How often an alarm that goes on is said again. */
const REPEAT_MS = 3_600_000;

export interface AlarmChange {
  /** To be said now. */
  readonly raised: readonly Alarm[];
  /** Over since the last look. */
  readonly ended: readonly Alarm[];
}

/** Remembers what was said, so that a state that lasts is one line an hour and its end another one. */
export class AlarmMemory {
  readonly #said = new Map<string, { readonly alarm: Alarm; readonly saidAtMs: number }>();

  /** @param present every alarm that holds now */
  see(present: readonly Alarm[], monotonicMs: number): AlarmChange {
    const keys = new Set(present.map(keyOf));
    const ended = [...this.#said].filter(([key]) => !keys.has(key)).map(([, { alarm }]) => alarm);
    for (const alarm of ended) this.#said.delete(keyOf(alarm));
    const raised = present.filter((alarm) => {
      const said = this.#said.get(keyOf(alarm));
      if (said !== undefined && monotonicMs - said.saidAtMs < REPEAT_MS) return false;
      this.#said.set(keyOf(alarm), { alarm, saidAtMs: monotonicMs });
      return true;
    });
    return { raised, ended };
  }
}

function keyOf({ code, about }: Alarm): string {
  return `${code} ${about}`;
}
