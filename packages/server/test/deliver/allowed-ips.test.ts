// A webhook's own list of addresses on a real node: the receiver's name is the operator's choice, the list the owner's.
import { afterAll, beforeAll, expect, test } from "vitest";
import { allowTargets } from "../support/outbound.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type Receiver, startReceiver } from "../support/receivers/receiver.ts";
import { until } from "../support/until.ts";

let node: TestNode;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  node = await startTestNode({ allowTargets: allowTargets(`localhost:${receiver.port}`) });
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const subscribe = (fields: Record<string, unknown>) =>
  node.api("POST", "/v1/webhooks", {
    url: `http://localhost:${receiver.port}/`,
    events: ["invoice.paid"],
    retryPolicy: { maxRetries: 1, retryDelay: 0 },
    ...fields,
  });
const publish = async (): Promise<void> => {
  await node.api("POST", "/v1/events", { event: "invoice.paid", data: 1 });
};
const lastDelivery = async () => {
  const [delivery] = (await node.api("GET", "/v1/deliveries?limit=1")).body.data;
  return (await node.api("GET", `/v1/deliveries/${delivery.id}`)).body.data;
};

test("outside of the list nothing is delivered and the attempt says why; widened, it is", async () => {
  const made = await subscribe({ allowedIps: ["127.0.0.2", "203.0.113.0/24"] });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  await publish();
  // Tried again by the policy, as a target that the guard refuses is.
  const dead = await until("the end of the policy", async () => {
    const delivery = await lastDelivery();
    return delivery.state === "dead_letter" ? delivery : undefined;
  });
  expect(dead.attempts).toHaveLength(2);
  for (const attempt of dead.attempts) {
    expect(attempt).toMatchObject({ outcome: "blocked", outcomeCode: "ADDRESS_NOT_ALLOWED", response: null });
    expect(attempt.outcomeMessage).toContain("127.0.0.2, 203.0.113.0/24");
    expect(attempt.address).toMatch(new RegExp(`^(127\\.0\\.0\\.1|\\[::1\\]):${receiver.port}$`));
  }
  expect(receiver.connectionCount).toBe(0);

  await node.api("PATCH", `/v1/webhooks/${made.body.data.id}`, { allowedIps: ["127.0.0.0/8"] });
  await publish();
  await receiver.received(1);
  // Narrowed again: the connection that is open now must not be used.
  await node.api("PATCH", `/v1/webhooks/${made.body.data.id}`, { allowedIps: ["127.0.0.9"] });
  await publish();
  await until("the next dead letter", async () => ((await lastDelivery()).state === "dead_letter" ? true : undefined));
  expect(receiver.requests).toHaveLength(1);
  await node.api("DELETE", `/v1/webhooks/${made.body.data.id}`);
});

test("a list does not open what the guard refuses", async () => {
  for (const url of ["https://127.0.0.1:8443/", `http://127.0.0.1:${receiver.port}/`, "https://10.0.0.1/"]) {
    const refused = await subscribe({ url, allowedIps: ["127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "0.0.0.0/0"] });
    expect([refused.status, refused.body.error.code]).toEqual([422, "TARGET_REFUSED"]);
  }
});
