// How the lists are read: from the indexes that their comments name, in order, without sorting a day's rows.
import type pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DELIVERY_STATES, selectDeliveries, selectDeliveriesOfEvents } from "../../src/http/read/deliveries.sql.ts";
import { selectEvents } from "../../src/http/read/events.sql.ts";
import { selectEventsInWindow, selectWindowEdge } from "../../src/storage/webhook-events.sql.ts";
import { lowestUuid, spanOf } from "../../src/lib/id-bounds.ts";
import type { Executor } from "../../src/storage/pools.ts";
import { asTenant } from "../../src/storage/pools.ts";
import { History } from "./history.ts";
import { type Face, openFace } from "./support.ts";

let face: Face;
let tenant: string;
let webhook: string;
const ROWS = 4_000;
const firstMs = () => face.clock.nowMs() - 10_000;

beforeAll(async () => {
  face = await openFace();
  tenant = await face.addTenant("one");
  webhook = await new History(face, tenant).webhook();
  // A delivery in the millisecond of its event, an event in each millisecond.
  const id = (kind: string) =>
    `(lpad(to_hex(${firstMs()}::bigint + i), 12, '0') || '7${kind}008000' || lpad(to_hex(i), 12, '0'))::uuid`;
  await face.owner.query(
    `insert into event (tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type,
       reference, data)
     select $1, ${id("0")}, 1, 1, 90, true, false, case when i % 997 = 0 then 'invoice.sent' else 'invoice.paid' end,
       'R-' || (i % 1000), '1'
     from generate_series(1, ${ROWS}) i`,
    [tenant],
  );
  const columns = "tenant_id, id, event_id, webhook_id, seq, webhook_version, retention_class, lane";
  const values = `$1::uuid, ${id("1")}, ${id("0")}, $2::uuid, i, 1, 90, 1`;
  const series = `from generate_series(1, ${ROWS}) i where i % 4 =`;
  await face.owner.query(`insert into delivery (${columns}, due_at) select ${values}, now() ${series} 0`, [
    tenant,
    webhook,
  ]);
  await face.owner.query(
    `insert into dead_letter (${columns}, dead_at, attempt_count, replayed, reason)
     select ${values}, now(), 1, false, 'expired' ${series} 1`,
    [tenant, webhook],
  );
  await face.owner.query(
    `insert into cancelled_delivery (tenant_id, id, event_id, webhook_id, webhook_version, retention_class, cancelled_at,
       attempt_count, replayed, reason)
     select $1::uuid, ${id("1")}, ${id("0")}, $2::uuid, 1, 90, now(), 1, false, 'requested' ${series} 2`,
    [tenant, webhook],
  );
  await face.owner.query(
    `insert into attempt (tenant_id, id, delivery_id, event_id, webhook_id, started_at, duration_ms, body_length,
       webhook_version, retention_class, number, ends_delivery, replayed, trigger, outcome, url)
     select $1::uuid, ${id("2")}, ${id("1")}, ${id("0")}, $2::uuid, now(), 1, 1, 1, 90, 1, true, false, 'initial',
       'delivered', '' ${series} 3`,
    [tenant, webhook],
  );
  for (const table of ["event", "delivery", "dead_letter", "cancelled_delivery", "attempt"]) {
    await face.pools.owner.query(`analyze ${table}`);
  }
});
afterAll(() => face.close());

interface Node {
  "Node Type": string;
  "Index Name"?: string;
  "Relation Name"?: string;
  "Actual Rows": number;
  "Actual Loops": number;
  "Rows Removed by Filter"?: number;
  Plans?: Node[];
}

/** The scans that a statement made, as it was really executed under row-level security. */
async function scansOf(run: (db: Executor) => Promise<unknown>): Promise<Node[]> {
  const plans: Node[] = [];
  await asTenant(face.pools.api, tenant, async (db) => {
    await run({
      async query<Row extends pg.QueryResultRow>(query: pg.QueryConfig) {
        const text = `explain (analyze, timing off, format json) ${query.text}`;
        const { rows } = await db.query<{ "QUERY PLAN": [{ Plan: Node }] }>({ text, values: query.values ?? [] });
        plans.push(rows[0]?.["QUERY PLAN"][0].Plan as Node);
        return { rows: [] as Row[] } as pg.QueryResult<Row>;
      },
    });
  });
  const scans: Node[] = [];
  const visit = (node: Node): void => {
    if (node["Node Type"].endsWith("Scan") && node["Actual Loops"] > 0) scans.push(node);
    node.Plans?.forEach(visit);
  };
  plans.forEach(visit);
  return scans;
}

/** No scan reads more than about a page of rows, found or thrown away; an empty partition may be read whole. */
function expectFrugal(scans: readonly Node[], indexes: readonly RegExp[]): void {
  const context = scans
    .map((scan) => `${scan["Node Type"]} ${scan["Relation Name"] ?? ""} ${scan["Index Name"] ?? ""} ${readBy(scan)}`)
    .join("\n");
  for (const scan of scans) expect(readBy(scan), context).toBeLessThanOrEqual(60);
  for (const index of indexes) expect(context).toMatch(index);
}

function readBy(scan: Node): number {
  return (scan["Actual Rows"] + (scan["Rows Removed by Filter"] ?? 0)) * scan["Actual Loops"];
}

const span = () =>
  spanOf(
    { fromMs: face.clock.nowMs() - 3_600_000, toMs: null },
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    face.clock.nowMs(),
  );

test("events come from the primary key, by type from event_type_time, by business number from event_reference", async () => {
  const all = { type: null, reference: null };
  expectFrugal(await scansOf((db) => selectEvents(db, tenant, true, all, span(), 51)), [/event_c90_\d+_pkey/]);
  const typed = { ...all, type: { text: "invoice.paid", isPrefix: false } };
  expectFrugal(await scansOf((db) => selectEvents(db, tenant, true, typed, span(), 51)), []);
  const rare = { ...all, type: { text: "invoice.sent", isPrefix: false } };
  const scans = await scansOf((db) => selectEvents(db, tenant, true, rare, span(), 51));
  expectFrugal(scans, [/event_c90_\d+_tenant_id_type_id_idx/]);
  expect(scans.reduce((sum, scan) => sum + readBy(scan), 0)).toBeLessThanOrEqual(4);
  const referenced = { ...all, reference: "R-7" };
  expectFrugal(await scansOf((db) => selectEvents(db, tenant, true, referenced, span(), 51)), [/reference/]);
});

test("deliveries in all states come from their primary keys and attempt_delivery, a page at a time", async () => {
  const filter = { states: DELIVERY_STATES, webhookUuid: null, type: null };
  const scans = await scansOf((db) => selectDeliveries(db, tenant, true, filter, span(), 51));
  expectFrugal(scans, [
    /delivery_pkey/,
    /dead_letter_c90_\d+_(pkey|tenant)/,
    /cancelled_delivery_c90_\d+_(pkey|tenant)/,
    /attempt_c90_\d+_tenant_id_delivery/,
  ]);
  const ofWebhook = { ...filter, webhookUuid: webhook };
  expectFrugal(await scansOf((db) => selectDeliveries(db, tenant, true, ofWebhook, span(), 51)), []);
});

test("deliveries of one event are found beside it, whatever else there is", async () => {
  const start = lowestUuid(firstMs() + 7).slice(0, 13);
  const event = { uuid: `${start}-7000-8000-000000000007`, retentionClass: 90 };
  const filter = { states: DELIVERY_STATES, webhookUuid: null };
  const scans = await scansOf((db) => selectDeliveriesOfEvents(db, tenant, [event], filter, span(), 100));
  expectFrugal(scans, [/delivery_pkey/]);
});

test("the events of a webhook come from its deliveries, a page at a time", async () => {
  const query = {
    webhookUuid: webhook,
    places: ["delivered", "dead_letter", "cancelled"],
    types: null,
    reference: null,
    withPayload: false,
    span: span(),
  } as const;
  const noEvents = (scans: readonly Node[]) =>
    expect(scans.filter((scan) => scan["Relation Name"]?.startsWith("event"))).toEqual([]);
  for (const order of ["newest_first", "oldest_first"] as const) {
    const edge = await scansOf((db) => selectWindowEdge(db, tenant, { ...query, order }, 51));
    noEvents(edge);
    expectFrugal(edge, [/dead_letter_c90_\d+_tenant/, /cancelled_delivery_c90/]);
  }
  // A window of fifty deliveries: four to a millisecond, of which one is pending.
  const window = { fromUuid: lowestUuid(firstMs() + 100), beforeUuid: lowestUuid(firstMs() + 166) };
  const scans = await scansOf((db) =>
    selectEventsInWindow(db, tenant, { ...query, span: window, order: "newest_first" }, 51),
  );
  noEvents(scans);
  expectFrugal(scans, [/attempt_c90_\d+_tenant_id/, /dead_letter_c90_\d+_tenant/, /cancelled_delivery_c90/]);
});
