// Cancelling a delivery by hand: one end, whoever comes first, and no request afterwards.
// Broken on purpose: without heeding the notices "waits in memory" goes red; with a terminal record that is written
// without having removed the row, both races do.
import { idFromUuid, uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { History } from "../http/history.ts";
import { type Face, openFace } from "../http/support.ts";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";
import { type Answer, type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
const receivers: Receiver[] = [];
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

async function subscribe(events: string[], answer: () => Answer | Promise<Answer> = () => 200, fields = {}) {
  const receiver = await startReceiver({ answer });
  receivers.push(receiver);
  const made = await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events, ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return { receiver, id: made.body.data.id as string };
}
async function publish(type: string, url = node.node.url): Promise<string> {
  const answer = await callApi(url, "POST", "/v1/events", { event: type, data: 1 });
  const { body } = await callApi(url, "GET", `/v1/deliveries?eventId=${answer.body.data.id}`);
  return body.data[0].id;
}
const cancel = (id: string) => node.api("POST", `/v1/deliveries/${id}/cancel`);
const read = async (id: string) => (await node.api("GET", `/v1/deliveries/${id}`)).body.data;
const endingsOf = async (id: string): Promise<number> => {
  const rows = await node.sql<{ n: string }>(
    `select (select count(*) from attempt where delivery_id = $1 and ends_delivery)
       + (select count(*) from dead_letter where id = $1) + (select count(*) from cancelled_delivery where id = $1) as n`,
    [uuidFromId("delivery", id as never)],
  );
  return Number(rows[0]?.n);
};
const isOwed = async (id: string): Promise<boolean> =>
  (await node.sql("select 1 from delivery where id = $1", [uuidFromId("delivery", id as never)])).length > 0;

function gate(): { opened: Promise<void>; open: () => void } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

describe("a delivery that is cancelled", () => {
  test("while it waits for its retry: has ended, with the reason, and is in the trail", async () => {
    const retryPolicy = { maxRetries: 5, retryDelay: 3_600, backoffMultiplier: 1 };
    const { receiver } = await subscribe(["bill.created"], () => 500, { retryPolicy });
    const id = await publish("bill.created");
    await until("the first attempt", async () => (await read(id)).attemptCount === 1);
    const cancelled = await cancel(id);
    expect(cancelled.status, JSON.stringify(cancelled.body)).toBe(200);
    expect(cancelled.body.data).toMatchObject({ id, state: "cancelled", cancelledReason: "requested" });
    const shown = await read(id);
    expect(shown).toMatchObject({ state: "cancelled", cancelledReason: "requested", attemptCount: 1 });
    expect(shown.cancelledAt).toBe(cancelled.body.data.cancelledAt);
    expect(receiver.requests).toHaveLength(1);
    const trail = await node.sql("select 1 from audit_entry where action = 'delivery.cancelled' and object_id = $1", [
      id,
    ]);
    expect(trail).toHaveLength(1);
    const again = await cancel(id);
    expect([again.status, again.body.error.code]).toEqual([409, "NOT_CANCELLABLE"]);
    expect((await node.api("POST", `/v1/deliveries/${id}/retry`)).body.error.code).toBe("NOT_RETRYABLE");
  });

  test("while it is held: is not sent when the webhook is resumed", async () => {
    const { receiver, id: webhook } = await subscribe(["bill.received"]);
    await node.api("POST", `/v1/webhooks/${webhook}/pause`);
    const [first, second] = [await publish("bill.received"), await publish("bill.received")];
    expect((await cancel(first)).status).toBe(200);
    await node.api("POST", `/v1/webhooks/${webhook}/resume`);
    const [request] = await receiver.received(1);
    expect(request?.headers["x-bigledger-delivery"]).toBe(second);
    await until("its end", async () => !(await isOwed(second)));
    expect(receiver.requests).toHaveLength(1);
  });

  test("while it waits in memory for its turn: leaves it, and the next one takes its place", async () => {
    const { opened, open } = gate();
    const { receiver } = await subscribe(
      ["bill.approved"],
      async () => {
        await opened;
        return 200;
      },
      { maxInFlight: 1, timeout: 30 },
    );
    const ids = [await publish("bill.approved"), await publish("bill.approved"), await publish("bill.approved")];
    await receiver.received(1);
    expect((await cancel(ids[1] as string)).status).toBe(200);
    await until("the notice to be heeded", async () => (await node.sql("select 1 from cancel_notice")).length === 0);
    open();
    const sent = (await receiver.received(2)).map((request) => request.headers["x-bigledger-delivery"]);
    expect(sent).toEqual([ids[0], ids[2]]);
    await until("the last to end", async () => !(await isOwed(ids[2] as string)));
    expect(receiver.requests).toHaveLength(2);
  });

  test("on another node than its owner: the owner lets it go at its next beat", async () => {
    const { opened, open } = gate();
    const { receiver } = await subscribe(
      ["bill.paid"],
      async () => {
        await opened;
        return 200;
      },
      { maxInFlight: 1, timeout: 30 },
    );
    const other = await node.startAnother();
    const ids = [await publish("bill.paid"), await publish("bill.paid")];
    await receiver.received(1);
    const answer = await callApi(other.url, "POST", `/v1/deliveries/${ids[1]}/cancel`);
    expect(answer.status).toBe(200);
    await until("the notice to be heeded", async () => (await node.sql("select 1 from cancel_notice")).length === 0);
    open();
    await until("the first to end", async () => !(await isOwed(ids[0] as string)));
    expect(receiver.requests).toHaveLength(1);
    await other.stop();
  });

  test("is refused when it has ended, is absent, or is another's", async () => {
    await subscribe(["expense.created"]);
    const id = await publish("expense.created");
    await until("its end", async () => (await read(id)).state === "delivered");
    const refused = await cancel(id);
    expect([refused.status, refused.body.error.code]).toEqual([409, "NOT_CANCELLABLE"]);
    expect(refused.body.error.message).toContain("delivered");
    expect((await cancel("dlv_01JDZZZZZZZZZZZZZZZZZZZZZZ")).status).toBe(404);
    expect((await cancel("nonsense")).status).toBe(404);
  });
});

describe("a request that is on its way when its delivery is cancelled", () => {
  test.each([
    ["delivered", 200],
    ["failed", 500],
  ])("ends as it ends (%s); its attempt is kept and ends nothing", async (_name, status) => {
    const { opened, open } = gate();
    const { receiver, id: webhook } = await subscribe(
      ["expense.approved"],
      async () => {
        await opened;
        return status;
      },
      { timeout: 30 },
    );
    const id = await publish("expense.approved");
    await receiver.received(1);
    expect((await cancel(id)).status).toBe(200);
    open();
    const shown = await until("the attempt", async () => {
      const found = await read(id);
      return found.attempts.length === 1 ? found : undefined;
    });
    expect(shown).toMatchObject({ state: "cancelled", cancelledReason: "requested" });
    expect(shown.attempts[0]).toMatchObject({ endsDelivery: false });
    expect(await endingsOf(id)).toBe(1);
    expect(await isOwed(id)).toBe(false);
    await node.api("DELETE", `/v1/webhooks/${webhook}`);
  });

  test("and both come at the same moment: each delivery has exactly one end", async () => {
    const { receiver } = await subscribe(["supplier.created"]);
    let cancelledCount = 0;
    for (let round = 0; round < 30; round += 1) {
      const id = await publish("supplier.created");
      const answer = await cancel(id);
      if (answer.status === 200) cancelledCount += 1;
      else expect(answer.body.error.code).toBe("NOT_CANCELLABLE");
      await until("its end", async () => (await endingsOf(id)) === 1 && !(await isOwed(id)));
      expect((await read(id)).state).toBe(answer.status === 200 ? "cancelled" : "delivered");
    }
    expect(receiver.requests.length).toBeGreaterThanOrEqual(30 - cancelledCount);
  });
});

describe("deliveries of others", () => {
  let face: Face;
  beforeAll(async () => {
    face = await openFace();
  });
  afterAll(() => face?.close());

  test("look absent: another tenant's and the other mode's cannot be cancelled, and nothing changes", async () => {
    const tenant = await face.addTenant("own");
    const key = await face.addKey(tenant);
    const history = new History(face, tenant);
    const delivery = await history.delivery(await history.event(), await history.webhook(), "held");
    const path = `/deliveries/${idFromUuid("delivery", delivery)}/cancel`;
    const strangers = [await face.addKey(await face.addTenant("two")), await face.addKey(tenant, { livemode: false })];
    for (const stranger of strangers) expect((await face.call(stranger, "POST", path)).status).toBe(404);
    const reader = await face.addKey(tenant, { scopes: ["read:events", "write:webhooks"] });
    expect((await face.call(reader, "POST", path)).status).toBe(403);
    expect((await face.owner.query("select 1 from cancel_notice")).rows).toEqual([]);
    expect((await face.call(key, "POST", path)).status).toBe(200);
    expect(face.woken).toHaveLength(1);
    expect((await face.owner.query("select 1 from cancel_notice")).rows).toHaveLength(1);
  });
});
