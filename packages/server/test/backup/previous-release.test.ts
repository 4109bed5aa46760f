// The data of the first release: this program starts on it and delivers what it owes, and a backup of it, made at its
// own level, becomes the same installation at the level of this one.
import { createHmac } from "node:crypto";
import { Readable } from "node:stream";
import { pino } from "pino";
import { afterEach, expect, test } from "vitest";
import { restore } from "../../src/backup/restore.ts";
import { type RunningNode, startNode } from "../../src/compose.ts";
import { prepareDatabase } from "../../src/prepare.ts";
import { parseAllowTargets } from "../../src/security/addresses/allow-targets.ts";
import { callApi } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";
import {
  backUpToBuffer,
  columnsOf,
  contentsOf,
  type Database,
  emptyDatabase,
  fillAsFirstRelease,
  migrateToFirst,
  newMasterKey,
} from "./support.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function empty(): Promise<Database> {
  const database = await emptyDatabase();
  cleanups.push(() => database.close());
  return database;
}

async function oldInstallation() {
  const receiver = await startReceiver();
  cleanups.push(() => receiver.close());
  const database = await empty();
  const masterKey = newMasterKey();
  await migrateToFirst(database.connection);
  const first = await fillAsFirstRelease(database, masterKey, `${receiver.origin}/hear`);
  return { receiver, database, masterKey, first };
}

/** As `serve` does, with the address guard open for receivers of the test. */
async function start(database: Database, masterKey: { text: string }): Promise<RunningNode> {
  const prepared = await prepareDatabase({
    connection: database.connection,
    givenMasterKey: masterKey.text,
    dataDir: undefined,
    givenApiKey: undefined,
  });
  if (prepared.outcome === "refused") throw new Error(prepared.message);
  expect(prepared.isFirstStart).toBe(false);
  const allow = parseAllowTargets("127.0.0.1");
  if (!allow.ok) throw new Error(allow.error);
  const node = await startNode({
    connection: database.connection,
    withRoles: prepared.withRoles,
    masterKey: prepared.masterKey,
    allowTargets: allow.targets,
    host: "127.0.0.1",
    port: 0,
    soleNode: true,
    version: "test",
    log: pino({ level: "silent" }),
  });
  cleanups.push(() => node.stop());
  return node;
}

/** Everything that was owed arrived once, signed with the old secret; the old key reads; new events go the same way. */
async function expectWorking(node: RunningNode, database: Database, receiver: Receiver, secret: string, owed: number) {
  const arrived = await receiver.received(owed);
  for (const request of arrived) {
    expect(request.headers["x-signature"]).toBe(
      `sha256=${createHmac("sha256", secret).update(request.body).digest("hex")}`,
    );
    expect(request.headers["x-source"]).toBe("first");
    expect(request.body.toString()).toContain('"n":12345678901234567890');
  }
  expect(new Set(arrived.map((request) => request.headers["webhook-id"])).size).toBe(owed);
  const attempts = arrived.map((request) => request.headers["x-bigledger-attempt"]).toSorted();
  expect(attempts).toEqual([...Array.from({ length: owed - 1 }, () => "1"), "2"]);
  await until("an empty queue", async () => {
    const { rows } = await database.admin.query(
      "select ((select count(*) from delivery) + (select count(*) from fan_out))::int as n",
    );
    return rows[0]?.n === 0;
  });
  const published = await callApi(node.url, "POST", "/v1/events", {
    event: "invoice.paid",
    data: { object: { total: 101 } },
  });
  expect(published.status, JSON.stringify(published.body)).toBe(202);
  expect(published.body.data.deliveries).toBe(1);
  expect(await receiver.received(owed + 1)).toHaveLength(owed + 1);
}

test("this program starts on the data of the first release and delivers what is pending", async () => {
  const { receiver, database, masterKey, first } = await oldInstallation();
  const node = await start(database, masterKey);
  await expectWorking(node, database, receiver, first.secret, first.pendingCount);
  const webhooks = await callApi(node.url, "GET", "/v1/webhooks");
  expect(webhooks.body.data).toMatchObject([{ name: "Ledger", filters: ["invoice.total > 100"] }]);
  // Figures cover what was before there were figures: two delivered and one dead letter; then what was owed, and one new.
  const delivered = 2 + first.pendingCount + 1;
  const path = `/v1/webhooks/${webhooks.body.data[0].id}/statistics`;
  const statistics = await until("the figures", async () => {
    const { data } = (await callApi(node.url, "GET", path)).body;
    return data.totalDelivered >= delivered && data;
  });
  expect(statistics).toMatchObject({ totalDelivered: delivered, totalFailed: 1 });
  const { rows } = await database.admin.query("select count(*)::int as n from event");
  expect(rows).toEqual([{ n: first.eventCount + 1 }]);
});

test("its backup, at its own level, restores to the same rows at this level, and delivers what is pending", async () => {
  const { receiver, database, masterKey, first } = await oldInstallation();
  const file = await backUpToBuffer(database.connection);
  const target = await empty();
  const summary = await restore({ connection: target.connection, input: { stream: Readable.from([file]) }, masterKey });
  expect(summary.migratedForward[0]).toBe("0002_access");
  const columns = await columnsOf(database.admin);
  expect(columns.has("rollup")).toBe(false);
  expect(await contentsOf(target.admin, columns)).toEqual(await contentsOf(database.admin, columns));
  const node = await start(target, masterKey);
  await expectWorking(node, target, receiver, first.secret, first.pendingCount);
});
