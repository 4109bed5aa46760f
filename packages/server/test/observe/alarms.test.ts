// When an alarm is raised, said again and over; and that the database's part is read as it is.
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AlarmWatch } from "../../src/observe/alarm-watch.ts";
import { type Alarm, AlarmMemory, sharedAlarms, upkeepAlarms } from "../../src/observe/alarms.ts";
import { SharedFigures, type SharedReading } from "../../src/observe/shared-figures.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { until } from "../support/until.ts";

const WELL: SharedReading = {
  pending: [],
  nodes: 1,
  unownedLanes: 0,
  oldestSnapshot: null,
  partitionDaysAhead: 7,
  digestFailures: [],
};
const due = (age: number, isOwned = true): SharedReading => ({
  ...WELL,
  unownedLanes: isOwned ? 0 : 256,
  pending: [{ is_owned: isOwned, state: "due", deliveries: 12, oldest_due_s: age }],
});
const codes = (alarms: readonly Alarm[]): string[] => alarms.map((each) => each.code);

describe("alarms", () => {
  test("are none when all is well", () => {
    expect(sharedAlarms(WELL, [0, 0])).toEqual([]);
    expect(upkeepAlarms(new Map([["vacuum", 2]]))).toEqual([]);
  });

  test("name who holds a snapshot for more than a minute, and what to do", () => {
    const held = (age: number) => ({ ...WELL, oldestSnapshot: { age_s: age, holder: "process 7 (psql, user ann)" } });
    expect(sharedAlarms(held(60), [])).toEqual([]);
    const [alarm] = sharedAlarms(held(61.4), []);
    expect([alarm?.code, alarm?.message]).toEqual([
      "SNAPSHOT_HELD",
      expect.stringMatching(/61 s.*process 7 \(psql, user ann\).*pg_terminate_backend/),
    ]);
  });

  test("come with fewer than three days of partitions, and with the third failure of a job in a row", () => {
    expect(codes(sharedAlarms({ ...WELL, partitionDaysAhead: 3 }, []))).toEqual([]);
    expect(codes(sharedAlarms({ ...WELL, partitionDaysAhead: 2 }, []))).toEqual(["PARTITIONS_SHORT"]);
    expect(upkeepAlarms(new Map([["vacuum", 3]]))[0]?.fields).toEqual({ job: "vacuum", failures: 3 });
  });

  test("come when people could not be told of trouble for more than ten minutes, one for each way", () => {
    const failing = (oldestS: number): SharedReading => ({
      ...WELL,
      digestFailures: [{ channel: "email", tenants: 2, oldest_s: oldestS }],
    });
    expect(sharedAlarms(failing(600), [])).toEqual([]);
    const [alarm] = sharedAlarms(failing(1_200), []);
    expect([alarm?.code, alarm?.fields]).toEqual(["DIGEST_FAILING", { channel: "email", tenants: 2, minutes: 20 }]);
  });

  test("come with a backlog that is old and still grows, not with one that shrinks or is young", () => {
    expect(codes(sharedAlarms(due(200), [80, 140]))).toEqual(["BACKLOG_GROWING"]);
    expect(codes(sharedAlarms(due(200), [300, 250]))).toEqual([]);
    expect(codes(sharedAlarms(due(119), [30, 60]))).toEqual([]);
    expect(codes(sharedAlarms(due(200), [140]))).toEqual([]);
    expect(codes(sharedAlarms(due(31, false), []))).toEqual(["LANES_UNOWNED"]);
  });

  test("are said once, again after an hour, and their end is said", () => {
    const memory = new AlarmMemory();
    const present = upkeepAlarms(new Map([["vacuum", 3]]));
    expect(codes(memory.see(present, 0).raised)).toEqual(["UPKEEP_FAILING"]);
    expect(memory.see(upkeepAlarms(new Map([["vacuum", 4]])), 60_000)).toEqual({ raised: [], ended: [] });
    expect(codes(memory.see(present, 3_600_000).raised)).toEqual(["UPKEEP_FAILING"]);
    expect(codes(memory.see([], 3_660_000).ended)).toEqual(["UPKEEP_FAILING"]);
    expect(memory.see([], 3_720_000)).toEqual({ raised: [], ended: [] });
  });

  test("of the installation are said by the owner of the first lane alone, unless lanes have no owner", async () => {
    const said: string[] = [];
    const log = {
      debug() {},
      info() {},
      warn: (fields: { alarm: string }) => void said.push(fields.alarm),
      error() {},
      isLevelEnabled: () => true,
    };
    const look = async (reading: SharedReading, owns: boolean): Promise<string[]> => {
      const watch = new AlarmWatch({
        shared: { read: async () => reading },
        clock: { nowMs: () => 0, monotonicMs: () => 0 },
        log: log as never,
        ownsFirstLane: () => owns,
      });
      await watch.look();
      return said.splice(0);
    };
    const short = { ...WELL, partitionDaysAhead: 0 };
    expect(await look(short, true)).toEqual(["PARTITIONS_SHORT"]);
    expect(await look(short, false)).toEqual([]);
    expect(await look({ ...short, unownedLanes: 1 }, false)).toEqual(["PARTITIONS_SHORT"]);
  });
});

describe("the database's part", () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startTestNode();
  });
  afterAll(() => node.stop());

  test("shows a transaction that pins the horizon, and what is pending by what it waits for", async () => {
    const webhook = await node.api("POST", "/v1/webhooks/subscribe", {
      url: "http://127.0.0.1:9/",
      events: ["invoice.paid"],
    });
    await node.api("POST", `/v1/webhooks/${webhook.body.data.id}/pause`);
    await node.api("POST", "/v1/events", { event: "invoice.paid", data: 1 });
    const holder = new pg.Client({ ...node.database.connection, application_name: "a report" });
    await holder.connect();
    const pool = new pg.Pool({ ...node.database.connection, max: 1 });
    try {
      await holder.query("begin isolation level repeatable read");
      await holder.query("select count(*) from event");
      // A transaction of the node's own may be older for a moment.
      const { shared, reading } = await until("the report holds the oldest snapshot", async () => {
        const figures = new SharedFigures({
          engine: pool,
          owner: pool,
          clock: { nowMs: () => 0, monotonicMs: () => 0 },
          partitionDaysAhead: async () => 7,
        });
        const read = await figures.read();
        return read.oldestSnapshot?.holder.includes("a report") ? { shared: figures, reading: read } : undefined;
      });
      expect(reading.oldestSnapshot?.holder).toMatch(/^process \d+ \(a report, user \w+, .*idle in transaction\)$/);
      expect(reading.pending).toEqual([{ is_owned: true, state: "paused", deliveries: 1, oldest_due_s: 0 }]);
      expect([reading.nodes, reading.unownedLanes]).toEqual([1, 0]);
      // Asked again at once, the database is left alone.
      await pool.end();
      expect(await shared.read()).toBe(reading);
    } finally {
      if (!pool.ended) await pool.end();
      await holder.end();
    }
  });
});
