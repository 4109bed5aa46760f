// Processes of one machine wake each other without the database, and hear at once of one that has ended. Nobody beats,
// looks around or says anything through the database here, so nothing else could be what wakes them.
// To break on purpose (not tried yet): without `tell` the first test waits for ever, without `onEnded` the second.
import { afterEach, expect, test, vi } from "vitest";
import type { Siblings, SiblingSignal } from "../../src/deliver/siblings.ts";
import { restartDelayMs } from "../../src/processes/restarts.ts";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";
import { startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

vi.setConfig({ testTimeout: 60_000 });

const SLOW = { beatIntervalMs: 120_000, leaseMs: 300_000, silenceMs: 400_000, handoffLookMs: 120_000 };
const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

type Listener = Parameters<Siblings["listen"]>[0];

/** What the first process does: carries what one says to all others. Every node is one of ours. */
class Relay {
  readonly listeners: Listener[] = [];
  readonly said: SiblingSignal[] = [];
  join(): Siblings {
    let own: Listener | undefined;
    return {
      has: () => true,
      tell: (signal) => {
        const carried = JSON.parse(JSON.stringify(signal)) as SiblingSignal;
        this.said.push(carried);
        for (const listener of this.listeners) if (listener !== own) listener.onTold(carried);
      },
      listen: (listener) => {
        own = listener;
        this.listeners.push(listener);
      },
    };
  }
}

async function startTwo(relay: Relay): Promise<{ first: TestNode; secondUrl: string }> {
  const first = await startTestNode({ soleNode: false, lease: SLOW, siblings: relay.join() });
  cleanups.push(() => first.stop());
  const second = await first.startAnother({ lease: SLOW, siblings: relay.join() });
  await until("lanes shared", async () => {
    const rows = await first.sql("select from lane where node_id is not null group by node_id having count(*) = 128");
    return rows.length === 2;
  });
  return { first, secondUrl: second.url };
}

test("what one process captures for another is delivered at its word, which names the webhook", async () => {
  const relay = new Relay();
  const { first, secondUrl } = await startTwo(relay);
  const receiver = await startReceiver();
  cleanups.push(() => receiver.close());
  for (let n = 0; n < 12; n += 1) {
    const webhook = { url: `${receiver.origin}/${n}`, events: ["invoice.paid"] };
    expect((await first.api("POST", "/v1/webhooks", webhook)).status).toBe(201);
  }
  for (const url of [first.node.url, secondUrl]) {
    const published = new Set<string>();
    // Until this node knows of the webhooks, too.
    await until("an event that all webhooks heard", async () => {
      const answer = await callApi(url, "POST", "/v1/events", { event: "invoice.paid", data: { n: 1 } });
      published.add(answer.body.data.id);
      return [...published].some(
        (id) => receiver.requests.filter(({ headers }) => headers["webhook-id"] === id).length === 12,
      );
    });
  }
  await until("nothing owed", async () => (await first.sql("select from delivery")).length === 0);
  const named = relay.said.flatMap(({ webhooks }) => webhooks);
  expect(named.length).toBeGreaterThan(0);
});

test("the lanes of a process that is known to have ended are taken at once", async () => {
  const relay = new Relay();
  const { first } = await startTwo(relay);
  // One that came, took its share, and is gone without a word.
  const uuid = "01a00000-0000-7000-8000-000000000001";
  await first.sql(
    "insert into node (id, incarnation, started_at, beat_at, process_id, alive, version, host) " +
      `values ('${uuid}', 1, now(), now(), 1, true, 'test', 'test')`,
  );
  await first.sql(`update lane set node_id = '${uuid}' where id in (select id from lane where node_id is null)`);
  relay.listeners[0]?.onEnded([uuid]);
  await until("its row to say so", async () => {
    const rows = await first.sql(`select from node where id = '${uuid}' and not alive`);
    return rows.length === 1;
  });
});

test("a process that ends again and again is started later each time, one that was well at once", () => {
  const delays = [undefined, 1, 1, 1, 1].reduce<number[]>(
    (all, ranMs) => [...all, restartDelayMs(all.at(-1), ranMs ?? 0)],
    [],
  );
  expect(delays).toEqual([100, 200, 400, 800, 1_600]);
  expect(restartDelayMs(10_000, 1)).toBe(10_000);
  expect(restartDelayMs(10_000, 60_000)).toBe(100);
});
