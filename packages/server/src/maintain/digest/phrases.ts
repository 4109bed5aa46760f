// Words that a digest is made of: times on the reader's clock, amounts, names. Pure. What others chose (names, business
// numbers) is made harmless here: one line, not long, no control characters.

/** Says times and durations as the reader of a digest knows them. */
export interface Clockwork {
  time(ms: number): string;
  duration(ms: number): string;
}

export const TIME_UNITS = { hours: "hours" } as const;
const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const TEXT_LENGTH = 160;
const NAMED = 5;

/** @param timeZone an IANA name; one that this machine does not know counts as UTC */
export function clockworkOf(timeZone: string): Clockwork {
  const options = {
    day: "numeric",
    month: "short",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
  } as const;
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone });
  } catch {
    format = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: "UTC" });
  }
  return {
    time: (ms) => (Number.isFinite(ms) ? format.format(ms).replace(",", "") : "an unknown time"),
    duration(ms) {
      if (ms < MINUTE_MS) return "less than a minute";
      if (ms < 2 * HOUR_MS) return counted(Math.round(ms / MINUTE_MS), "minute", "minutes");
      return ms < 2 * DAY_MS
        ? counted(Math.round(ms / HOUR_MS), "hour", TIME_UNITS.hours)
        : counted(Math.round(ms / DAY_MS), "day", "days");
    },
  };
}

export function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** Some text of somebody else on one line. */
export function cleaned(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, " ").trim();
  return line.length > TEXT_LENGTH ? `${line.slice(0, TEXT_LENGTH - 1)}…` : line;
}

/** Deliveries by what their events are called outside: `INV-00871 (invoice.paid), … and 7 more`. */
export function named(tally: {
  readonly count: number;
  readonly deliveries: readonly Readonly<Record<string, unknown>>[];
}): string {
  const names = tally.deliveries.slice(0, NAMED).map((delivery) => {
    const name = delivery["reference"] ?? delivery["eventId"] ?? delivery["id"];
    return `${cleaned(String(name))} (${cleaned(String(delivery["event"]))})`;
  });
  const more = tally.count - names.length;
  if (names.length === 0) return counted(tally.count, "delivery", "deliveries");
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}
