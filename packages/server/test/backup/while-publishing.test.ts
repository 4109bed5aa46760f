// A backup beside a node that is being written to shows one moment: every event acknowledged before it is in the file,
// and every event in the file with all its deliveries, each either still owed or ended once.
import { Readable } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { restore } from "../../src/backup/restore.ts";
import { startNode } from "../../src/compose.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";
import { backUpToBuffer, type Database, emptyDatabase } from "./support.ts";

let node: TestNode;
let receiver: Receiver;
let target: Database;
beforeAll(async () => {
  receiver = await startReceiver({ answer: (_request, index) => (index % 10 === 3 ? 500 : 200) });
  [node, target] = [await startTestNode(), await emptyDatabase()];
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
  await target?.close();
});

/** Of each event: deliveries promised, and those that are owed or ended. */
const DEBTS = `
  select e.id, e.sender_id, e.delivery_count as promised, count(d.id)::int as found, count(distinct d.id)::int as different
  from event e
  left join (
    select id, event_id from delivery
    union all select delivery_id, event_id from attempt where ends_delivery and outcome = 'delivered'
    union all select id, event_id from dead_letter
    union all select id, event_id from cancelled_delivery
  ) d on d.event_id = e.id
  group by e.id, e.sender_id, e.delivery_count`;

interface Debt {
  readonly sender_id: string;
  readonly promised: number;
  readonly found: number;
  readonly different: number;
}

test("nothing acknowledged before is missing, nothing is half there, and the restored node goes on", async () => {
  for (const path of ["one", "two"]) {
    const retryPolicy = { maxRetries: 5, retryDelay: 1, backoffMultiplier: 1 };
    const body = { url: `${receiver.origin}/${path}`, events: ["invoice.paid"], retryPolicy };
    expect((await node.api("POST", "/v1/webhooks", body)).status).toBe(201);
  }
  const acknowledged: string[] = [];
  const publishing = new AbortController();
  const publish = async (sender: number): Promise<void> => {
    for (let number = 0; !publishing.signal.aborted; number += 1) {
      const id = `s${sender}-${number}`;
      const answer = await node.api("POST", "/v1/events", {
        event: "invoice.paid",
        id,
        data: { object: { total: 1 } },
      });
      expect(answer.status).toBe(202);
      acknowledged.push(id);
    }
  };
  const senders = [1, 2, 3].map(publish);
  await until("a few events", async () => acknowledged.length >= 60);
  const before = [...acknowledged];
  const file = await backUpToBuffer(node.database.connection);
  const afterCount = acknowledged.length;
  publishing.abort();
  await Promise.all(senders);
  expect(afterCount).toBeGreaterThan(before.length);

  await restore({
    connection: target.connection,
    input: { stream: Readable.from([file]) },
    masterKey: node.options.masterKey,
  });
  const { rows } = await target.admin.query<Debt>(DEBTS);
  const ids = new Set(rows.map((row) => row.sender_id));
  expect(before.filter((id) => !ids.has(id))).toEqual([]);
  expect(rows.filter(({ promised, found, different }) => promised !== 2 || found !== 2 || different !== 2)).toEqual([]);
  const known = new Set(acknowledged);
  expect([...ids].filter((id) => !known.has(id))).toEqual([]);

  const restored = await startNode({ ...node.options, connection: target.connection });
  try {
    await until("nothing owed", async () => {
      const owed = await target.admin.query<{ n: number }>("select count(*)::int as n from delivery");
      return owed.rows[0]?.n === 0;
    });
    const ended = await target.admin.query<Debt>(DEBTS);
    expect(ended.rows.filter(({ found, different }) => found !== 2 || different !== 2)).toEqual([]);
    const heard = new Set(receiver.requests.map(({ path, headers }) => `${path} ${headers["webhook-id"]}`));
    expect([...ids].flatMap((id) => [`/one ${id}`, `/two ${id}`]).filter((each) => !heard.has(each))).toEqual([]);
  } finally {
    await restored.stop();
  }
});
