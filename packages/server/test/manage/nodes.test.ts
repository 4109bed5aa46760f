// The list of nodes, for operators: what each one says of itself with its beat, and that one that ended is shown for a day.
// To break on purpose (not tried yet): a beat that writes no figures, and a removal that looks at the beat alone, both go red here.
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { deleteEndedNodes } from "../../src/maintain/ended-nodes.sql.ts";
import { openPools } from "../../src/storage/pools.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const DAY_MS = 86_400_000;
let first: TestNode;
beforeAll(async () => {
  first = await startTestNode({
    soleNode: false,
    lease: { beatIntervalMs: 200, leaseMs: 60_000, silenceMs: 120_000 },
  });
  await first.sql("update api_key set scopes = '{admin,operator}'");
});
afterAll(() => first.stop());

async function nodes() {
  const answer = await first.api("GET", "/v1/nodes");
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.data;
}

test("every node shows its lanes, its memory and how far it is behind; one that was stopped has ended", async () => {
  const other = await first.startAnother({ lease: { beatIntervalMs: 200, leaseMs: 60_000, silenceMs: 120_000 } });
  await until("both to have their share and to say so", async () => {
    const list = await nodes();
    return (
      list.length === 2 &&
      list.every((node: { lanes: number; memoryBytes: number }) => node.lanes === 128 && node.memoryBytes > 10_000_000)
    );
  });
  const [mine] = (await nodes()).filter((node: { id: string }) => node.id === first.node.id);
  expect(mine).toMatchObject({
    processId: process.pid,
    version: "test",
    status: "alive",
    backlog: 0,
    inFlight: 0,
    oldestDueAt: null,
  });
  expect(mine.beatAgeMs).toBeGreaterThanOrEqual(0);

  await first.api("POST", "/v1/webhooks", { url: "http://127.0.0.1:1/", events: ["invoice.paid"] });
  await first.api("POST", "/v1/events", { event: "invoice.paid", data: {} });
  // Refused, so it is due again in some seconds, in whoever's lane it is.
  await until("when the first one is due", async () =>
    (await nodes()).some((node: { oldestDueAt: string | null }) => node.oldestDueAt !== null),
  );

  await other.stop();
  const [ended] = (await nodes()).filter((node: { id: string }) => node.id === other.id);
  expect(ended).toMatchObject({ status: "ended", lanes: 0, memoryBytes: 0 });
});

test("pages go on below the last one shown", async () => {
  const page = await first.api("GET", "/v1/nodes?limit=1");
  expect(page.body.data).toHaveLength(1);
});

test("nodes that ended leave the list after a day, living ones never", async () => {
  const pools = openPools({
    connection: first.options.connection,
    withRoles: first.options.withRoles,
    onIdleError() {},
  });
  try {
    const before = (await nodes()).length;
    expect(await deleteEndedNodes(pools.engine, Date.now() + DAY_MS / 2)).toBe(0);
    expect(await deleteEndedNodes(pools.engine, Date.now() + 2 * DAY_MS)).toBe(before - 1);
    expect((await nodes()).map((node: { id: string }) => node.id)).toEqual([first.node.id]);
  } finally {
    await pools.end();
  }
});
