// Proves the loop: what runs when, that errors do not end it, and that stopping waits for what is under way.
import { afterAll, beforeAll, expect, test } from "vitest";
import { DAY_MS } from "../../src/maintain/days.ts";
import { Hearing } from "../../src/maintain/modules/hearing.ts";
import { createUpkeep, type UpkeepKind } from "../../src/maintain/upkeep.ts";
import { withLock } from "../../src/storage/advisory-locks.sql.ts";
import { createPooledDatabase, insertDelivery, insertTenant, type PooledDatabase } from "./fixtures.ts";

let database: PooledDatabase;
beforeAll(async () => {
  database = await createPooledDatabase();
});
afterAll(() => database.close());

/** With a fraction, as an estimate of database time has it: with whole milliseconds a failing job was not seen. */
const START = Date.UTC(2026, 10, 23, 15, 30) + 0.25;

/** An upkeep whose timers fire by hand, and whose log and runs are kept. */
function byHand(pools: Pick<PooledDatabase["pools"], "owner" | "engine"> = database.pools) {
  const timers: { delayMs: number; run: () => void }[] = [];
  const messages: string[] = [];
  const note = (...parts: unknown[]): void => void messages.push(String(parts.at(-1)));
  const waiting: ((run: { kind: UpkeepKind; error: unknown }) => void)[] = [];
  const time = { nowMs: START };
  const upkeep = createUpkeep({
    pools,
    clock: { nowMs: () => time.nowMs, monotonicMs: () => time.nowMs },
    log: { debug: note, info: note, warn: note, error: note, isLevelEnabled: () => true },
    writeKeyUses: async () => {},
    lookForAlarms: async () => {},
    publishOperational: async () => "stored",
    hasListener: async () => true,
    checkQuiet: async () => {},
    hearing: new Hearing(() => undefined),
    telling: {
      sendMail: undefined,
      sendChat: async () => ({ kind: "told", problem: null }),
      openChatUrl: async () => "",
    },
    disableFailed: async () => false,
    schedule(delayMs, run) {
      const timer = { delayMs, run };
      timers.push(timer);
      return () => void timers.splice(timers.indexOf(timer), 1);
    },
    onRun: (kind, error) => waiting.shift()?.({ kind, error }),
  });
  return {
    upkeep,
    timers,
    messages,
    time,
    /** Fires the timer at `index` and waits for what it ran; the next timer is then set. */
    async fire(index: number) {
      const [timer] = timers.splice(index, 1);
      const run = new Promise<{ kind: UpkeepKind; error: unknown }>((resolve) => waiting.push(resolve));
      timer?.run();
      const result = await run;
      await Promise.resolve();
      await Promise.resolve();
      return result;
    },
  };
}

test("partitions come first and at once, everything else within ten seconds", async () => {
  const { upkeep, timers, fire } = byHand();
  upkeep.start();
  const delays = timers.map((timer) => timer.delayMs);
  expect(delays.slice(0, 2)).toEqual([5_000, 0]);
  expect(new Set(delays.slice(2))).toEqual(new Set([10_000, 3_000, 2_000]));
  expect(await fire(1)).toEqual({ kind: "partitions", error: undefined });
  expect(timers.at(-1)?.delayMs).toBe(60_000);
  await upkeep.stop();
  expect(timers).toEqual([]);
});

test("partitions are made for the class of every tenant", async () => {
  const { upkeep } = byHand();
  await insertTenant(database.admin, 400);
  await upkeep.runOnce("partitions");
  const { rows } = await database.admin.query("select to_regclass('event_c400_20261130') is not null as found");
  expect(rows).toEqual([{ found: true }]);
});

test("after the clock was put forward by a month the next run makes that day", async () => {
  const { upkeep, time } = byHand();
  await upkeep.runOnce("partitions");
  time.nowMs += 30 * DAY_MS;
  await upkeep.runOnce("partitions");
  const { rows } = await database.admin.query("select to_regclass('event_c90_20261223') is not null as found");
  expect(rows).toEqual([{ found: true }]);
});

test("a job that fails is reported and tried again in ten seconds", async () => {
  const broken = { query: () => Promise.reject(new Error("no database")) } as never;
  const { upkeep, timers, messages, fire } = byHand({ owner: broken, engine: broken });
  upkeep.start();
  expect(await fire(1)).toMatchObject({ kind: "partitions", error: { message: "no database" } });
  expect(messages).toEqual(["upkeep (partitions) failed and will be tried again"]);
  expect(timers.at(-1)?.delayMs).toBe(10_000);
  await upkeep.stop();
});

test("a call joins the run under way, and stop waits for it", async () => {
  const { upkeep, time } = byHand();
  time.nowMs += 100 * DAY_MS;
  let finished = false;
  let run: Promise<void> | undefined;
  let stopped: Promise<void> | undefined;
  await withLock(database.pools.owner, "partitions", async () => {
    run = upkeep.runOnce("partitions").then(() => {
      finished = true;
    });
    const joined = upkeep.runOnce("partitions");
    expect(upkeep.runOnce("partitions")).toBe(joined);
    stopped = upkeep.stop();
    await database.admin.query("select 1");
    expect(finished).toBe(false);
  });
  await stopped;
  await run;
  expect(finished).toBe(true);
});

test("retention and keys find nothing to do on a young database", async () => {
  const { upkeep, messages } = byHand();
  await upkeep.runOnce("retention");
  await upkeep.runOnce("keys");
  expect(messages).toEqual([]);
});

test("an event's last days: what is owed of it expires first, its partition goes a day later", async () => {
  const { upkeep, messages, time } = byHand();
  const tenantId = await insertTenant(database.admin, 7);
  await upkeep.runOnce("partitions");
  const id = await insertDelivery(database.admin, { tenantId, eventMs: START, retentionClass: 7 });
  messages.length = 0;

  time.nowMs = START + 6 * DAY_MS;
  await upkeep.runOnce("retention");
  expect(messages).toEqual([]);
  time.nowMs = START + 7 * DAY_MS;
  await upkeep.runOnce("retention");
  const { rows } = await database.admin.query("select id, reason, tableoid::regclass::text as place from dead_letter");
  expect(rows).toEqual([{ id, reason: "expired", place: "dead_letter_c7_20261123" }]);
  time.nowMs = START + 8 * DAY_MS;
  await upkeep.runOnce("retention");
  const left = await database.admin.query(
    "select to_regclass('event_c7_20261123')::text as event, to_regclass('event_c7_20261124')::text as next",
  );
  expect(left.rows).toEqual([{ event: null, next: "event_c7_20261124" }]);
});
