// What the statement answers with is what capture acknowledges: it must never say "stored" for what the fence refused.
import { afterAll, beforeAll, expect, test } from "vitest";
import { captureEvents, type EventRow } from "../../src/capture/capture.sql.ts";
import { ensurePartitions } from "../../src/maintain/partitions.ts";
import { createPooledDatabase, type PooledDatabase, uuidAt } from "../maintain/fixtures.ts";

const NOW = Date.now();
const NODE = uuidAt(NOW);
const TENANT = uuidAt(NOW);

let database: PooledDatabase;

beforeAll(async () => {
  database = await createPooledDatabase();
  await database.admin.query(
    `insert into node (id, incarnation, started_at, beat_at, process_id, alive, version, host)
     values ($1, 1, now(), now(), 1, true, 'x', 'x')`,
    [NODE],
  );
  await database.admin.query("insert into tenant (id, created_at, config_version, name) values ($1, now(), 1, 'x')", [
    TENANT,
  ]);
  await ensurePartitions(database.pools.owner, NOW, [30]);
});

afterAll(() => database.close());

test("a node that holds the fence stores all, with and without keys", async () => {
  expect(await capture(1, [rowWith(null), rowWith(null)])).toEqual({ stored: "all", count: 2 });
  expect(await capture(1, [rowWith("first"), rowWith(null)])).toEqual({ stored: "all", count: 2 });
});

test("of a batch with a key in use, the others' ids come back", async () => {
  await capture(1, [rowWith("used")]);
  const rows = [rowWith("used"), rowWith(null)];
  const ids = new Set([rows[1]?.uuid]);
  expect(await capture(1, rows)).toEqual({ stored: ids, count: 1 });
});

test("a node that was declared dead stores nothing and is told so, with and without keys", async () => {
  expect(await capture(2, [rowWith(null), rowWith(null)])).toEqual({ stored: new Set(), count: 0 });
  expect(await capture(2, [rowWith("second"), rowWith(null)])).toEqual({ stored: new Set(), count: 0 });
});

test("traces are kept with their events and no others, also with a fan-out", async () => {
  const traced = { ...rowWith(null), traceContext: "00-a-b-01 vendor=1" };
  const fanned = { ...rowWith("fanned"), traceContext: "00-c-d-00", fanOut: { lane: 7, webhooks: [] } };
  const rows = [rowWith("with trace"), traced, rowWith(null)];
  expect(await capture(1, rows)).toEqual({ stored: "all", count: 3 });
  expect(await capture(1, [fanned])).toEqual({ stored: "all", count: 1 });
  const { rows: found } = await database.admin.query(
    "select id, trace_context from event where id = any ($1) and trace_context is not null",
    [[...rows, fanned].map((row) => row.uuid)],
  );
  expect(new Map(found.map((row) => [row.id, row.trace_context]))).toEqual(
    new Map([
      [traced.uuid, traced.traceContext],
      [fanned.uuid, fanned.traceContext],
    ]),
  );
});

type Row = EventRow & { readonly uuid: string };

/** What the statement said, and how many of the rows are there. */
async function capture(incarnation: number, rows: readonly Row[]) {
  const node = { uuid: NODE, id: "node", incarnation, idBytes: bytesOf(NODE) };
  const stored = await captureEvents(database.pools.engine, node, NOW, rows);
  const found = await database.admin.query("select id from event where id = any ($1)", [rows.map((row) => row.uuid)]);
  return { stored, count: found.rows.length };
}

function rowWith(key: string | null): Row {
  const uuid = uuidAt(NOW);
  return {
    uuid,
    tenantBytes: bytesOf(TENANT),
    idBytes: bytesOf(uuid),
    configVersion: 1,
    deliveryCount: 0,
    retentionClass: 30,
    livemode: true,
    hasLongNumber: false,
    type: "invoice.paid",
    senderId: null,
    sentTimestamp: null,
    reference: null,
    orderingKey: null,
    data: Buffer.from("{}"),
    context: null,
    traceContext: null,
    keys: key === null ? [] : [{ kind: "key", key, hash: new Uint8Array(32) }],
    deliveries: [],
    fanOut: null,
  };
}

function bytesOf(uuid: string): Uint8Array {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}
