// Retrying many dead letters at once: exactly those of the filter, in chunks, audited, and counted back.
import { idFromUuid } from "@posthorn/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { selectStatistics } from "../../src/manage/statistics.sql.ts";
import { asTenant } from "../../src/storage/pools.ts";
import { tallyOfDeadLetters } from "../../src/storage/tally.sql.ts";
import { History } from "../http/history.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let tenant: string;
let key: string;
let history: History;
let webhook: string;
const wh = (uuid: string) => idFromUuid("webhook", uuid);
const retry = async (body: object, using = key) => face.call(using, "POST", "/dead-letters/retry", body);
const countOf = async (table: string, of = webhook) =>
  (await face.owner.query(`select count(*)::int4 as n from ${table} where webhook_id = $1`, [of])).rows[0].n;
const bury = async (count: number, options: { type?: string; atMs?: number; of?: string } = {}) => {
  const ids: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const event = await history.event({
      type: options.type ?? "invoice.paid",
      atMs: (options.atMs ?? face.clock.nowMs()) + i,
    });
    ids.push(await history.delivery(event, options.of ?? webhook, "dead_letter", { attemptCount: 4 }));
  }
  return ids;
};

beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face.close());
beforeEach(async () => {
  tenant = await face.addTenant(`tenant ${face.ids.next().join("")}`);
  key = await face.addKey(tenant);
  history = new History(face, tenant);
  webhook = await history.webhook();
  face.woken.length = 0;
});

test("all of a webhook become pending again in several transactions, with their ids, and their owner is woken", async () => {
  const ids = await bury(8);
  const answer = await retry({ webhookId: wh(webhook) });
  expect([answer.status, answer.body.data]).toEqual([200, { dryRun: false, count: 8, hasMore: false }]);
  expect(await countOf("dead_letter")).toBe(0);
  const { rows } = await face.owner.query("select * from delivery where webhook_id = $1 order by id", [webhook]);
  expect(rows.map((row) => row.id)).toEqual(ids);
  const again = { attempt_count: 4, policy_attempt_base: 4, handoff: true, next_trigger: "manual", seq: "4711" };
  for (const row of rows) expect(row).toMatchObject(again);
  expect(new Set(face.woken)).toEqual(new Set([webhook]));
  const audit = await face.owner.query(
    "select action, object_id, change from audit_entry where tenant_id = $1 order by id",
    [tenant],
  );
  expect(audit.rows.map((row) => [row.action, row.object_id, row.change.count.to])).toEqual([
    ["dead_letters.retried", wh(webhook), 3],
    ["dead_letters.retried", wh(webhook), 3],
    ["dead_letters.retried", wh(webhook), 2],
  ]);
  expect(audit.rows.flatMap((row) => row.change.deliveries.to)).toEqual(ids.map((id) => idFromUuid("delivery", id)));
});

test("a retried one has failed no more", async () => {
  await bury(5);
  await face.owner.query(
    `with dead as (select * from dead_letter where webhook_id = $1) ${tallyOfDeadLetters("dead", "added")}`,
    [webhook],
  );
  const failed = async () =>
    (await asTenant(face.pools.api, tenant, (db) => selectStatistics(db, tenant, [webhook])))[0]?.total_failed;
  expect(await failed()).toBe(5);
  await retry({ webhookId: wh(webhook), limit: 4 });
  expect(await failed()).toBe(1);
});

test("a dry run counts and changes nothing", async () => {
  await bury(5);
  const answer = await retry({ webhookId: wh(webhook), dryRun: true, limit: 1 });
  expect(answer.body.data).toEqual({ dryRun: true, count: 5, hasMore: false });
  expect([await countOf("dead_letter"), await countOf("delivery"), face.woken]).toEqual([5, 0, []]);
  expect((await face.owner.query("select from audit_entry where tenant_id = $1", [tenant])).rowCount).toBe(0);
});

test("a limit stops it, oldest first, and the next call goes on", async () => {
  const ids = await bury(7);
  expect((await retry({ limit: 4 })).body.data).toEqual({ dryRun: false, count: 4, hasMore: true });
  const { rows } = await face.owner.query("select id from dead_letter where webhook_id = $1 order by id", [webhook]);
  expect(rows.map((row) => row.id)).toEqual(ids.slice(4));
  expect((await retry({ limit: 4 })).body.data).toEqual({ dryRun: false, count: 3, hasMore: false });
});

test("only what the filter means is touched", async () => {
  const old = face.clock.nowMs() - 60_000;
  await bury(2, { type: "invoice.created", atMs: old });
  await bury(3, { type: "invoice.paid", atMs: old });
  await bury(4, { type: "invoice.paid" });
  const other = await history.webhook();
  await bury(2, { of: other });
  const to = new Date(old + 1_000).toISOString();
  expect((await retry({ webhookId: wh(webhook), type: "invoice.paid", to })).body.data.count).toBe(3);
  expect((await retry({ webhookId: wh(webhook), reason: "endpoint_gone" })).body.data.count).toBe(0);
  expect((await retry({ type: "invoice.*", to })).body.data.count).toBe(2);
  expect([await countOf("dead_letter"), await countOf("dead_letter", other)]).toEqual([4, 2]);
});

test("dead letters of webhooks that are not enabled stay, and a named one is a conflict that says what to do", async () => {
  const disabled = await history.webhook({ status: "disabled" });
  await bury(2, { of: disabled });
  await bury(4);
  expect((await retry({})).body.data).toEqual({ dryRun: false, count: 4, hasMore: false });
  expect(await countOf("dead_letter", disabled)).toBe(2);
  const answer = await retry({ webhookId: wh(disabled) });
  expect([answer.status, answer.body.error.code]).toEqual([409, "CONFLICT"]);
  expect(answer.body.error.message).toContain("is disabled");
});

test("another tenant and the other mode find nothing", async () => {
  await bury(2);
  const sandbox = await face.addKey(tenant, { livemode: false });
  const stranger = await face.addKey(await face.addTenant(`stranger of ${tenant}`));
  for (const using of [sandbox, stranger]) {
    expect((await retry({}, using)).body.data.count).toBe(0);
    expect((await retry({ webhookId: wh(webhook) }, using)).status).toBe(422);
  }
  expect(await countOf("dead_letter")).toBe(2);
});

test("two at once make one delivery of each", async () => {
  await bury(9);
  const answers = await Promise.all([retry({}), retry({}), retry({ webhookId: wh(webhook) })]);
  expect(answers.map((answer) => answer.status)).toEqual([200, 200, 200]);
  expect(answers.reduce((sum, answer) => sum + answer.body.data.count, 0)).toBe(9);
  expect([await countOf("dead_letter"), await countOf("delivery")]).toEqual([0, 9]);
});

test("unknown members and values are refused by name and change nothing", async () => {
  await bury(1);
  for (const [body, field] of [
    [{ webhook: "x" }, "webhook"],
    [{ reason: "bored" }, "reason"],
    [{ limit: 0 }, "limit"],
    [{ limit: 10_001 }, "limit"],
    [{ from: "monday" }, "from"],
    [{ dryRun: "yes" }, "dryRun"],
    [{ webhookId: "webhook_1" }, "webhookId"],
  ] as const) {
    const answer = await retry(body);
    expect([answer.status, answer.body.error.details[0].field]).toEqual([422, field]);
  }
  expect(await countOf("dead_letter")).toBe(1);
});
