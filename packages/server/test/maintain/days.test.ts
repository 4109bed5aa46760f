// Proves the arithmetic of days and UUIDv7 bounds.
import { IdGenerator, uuidFromBytes } from "@posthorn/contract";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  DAY_MS,
  dayPartitionName,
  expiryCutoffMs,
  HISTORY_TABLES,
  isDayExpired,
  lowestUuidAt,
  parseDayPartition,
  RETENTION_CLASSES,
  startOfDay,
} from "../../src/maintain/days.ts";

const times = fc.integer({ min: Date.UTC(2020), max: Date.UTC(2100) });

test("a time with a fraction is the bound of its millisecond", () => {
  expect(lowestUuidAt(Date.UTC(2026, 10, 23) + 0.75)).toBe(lowestUuidAt(Date.UTC(2026, 10, 23)));
});

test("an id lies between the bounds of its own UTC day and of no other, whatever its random bits", () => {
  fc.assert(
    fc.property(times, fc.integer({ min: 0, max: 255 }), (timeMs, fill) => {
      const uuid = uuidFromBytes(
        new IdGenerator(
          () => timeMs,
          (target) => target.fill(fill),
        ).next(),
      );
      const dayMs = startOfDay(timeMs);
      expect(lowestUuidAt(dayMs) <= uuid && uuid < lowestUuidAt(dayMs + DAY_MS)).toBe(true);
    }),
  );
});

test("a day partition's name is read back as what it was made from", () => {
  fc.assert(
    fc.property(
      times,
      fc.constantFrom(...HISTORY_TABLES),
      fc.constantFrom(...RETENTION_CLASSES),
      (timeMs, table, c) => {
        const dayMs = startOfDay(timeMs);
        const name = dayPartitionName(table, c, dayMs);
        expect(parseDayPartition(name)).toEqual({ table, retentionClass: c, dayMs, name });
      },
    ),
  );
});

test("names follow the pattern that operators see, and other names are not read", () => {
  expect(dayPartitionName("event", 90, Date.UTC(2026, 10, 23))).toBe("event_c90_20261123");
  for (const name of ["event_c90", "event_c90_20261123_pkey", "my_event_c90_20261123", "delivery_c90_20261123"]) {
    expect(parseDayPartition(name)).toBeNull();
  }
});

test("what is owed expires at least a day before its event's partition goes, and never before its age", () => {
  fc.assert(
    fc.property(times, fc.constantFrom(...RETENTION_CLASSES), (eventMs, retentionClass) => {
      const dayMs = startOfDay(eventMs);
      const goneMs = dayMs + (1 + retentionClass) * DAY_MS;
      expect(isDayExpired(dayMs, retentionClass, goneMs)).toBe(true);
      expect(isDayExpired(dayMs, retentionClass, goneMs - 1)).toBe(false);
      expect(eventMs < expiryCutoffMs(retentionClass, goneMs - DAY_MS)).toBe(true);
      expect(eventMs < expiryCutoffMs(retentionClass, eventMs + (retentionClass - 1) * DAY_MS - 1)).toBe(false);
    }),
  );
});
