// Which secret signs what on a real node during a rotation and after it: decided by the time of the database, without
// anybody's action, whether upkeep runs and whether the node was restarted in between.
import { createHmac } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DatabaseClock } from "../../src/lib/clock.ts";
import { callApi, startTestNode, type TestNode } from "../support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";

/** Database time, put forward. */
class ShiftedClock extends DatabaseClock {
  shiftMs = 0;
  override nowMs(): number {
    return super.nowMs() + this.shiftMs;
  }
}

const OLD = "the-old-secret";
const NEW = "the-new-secret";
let node: TestNode;
let url: string;
let receiver: Receiver;
let clock: ShiftedClock;
beforeAll(async () => {
  clock = new ShiftedClock();
  node = await startTestNode({ clock });
  url = node.node.url;
  receiver = await startReceiver();
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

/** The secrets that signed the next request: of `X-Signature`, and of `webhook-signature` in turn. */
async function signers(): Promise<{ single: string; several: string[] }> {
  const before = receiver.requests.length;
  await callApi(url, "POST", "/v1/events", { event: "invoice.paid", data: { object: {} } });
  const { headers, body } = (await receiver.received(before + 1))[before] as ReceivedRequest;
  const whose = (given: string, signedBefore: string, encoding: "hex" | "base64"): string => {
    const text = Buffer.concat([Buffer.from(signedBefore), body]);
    return [OLD, NEW].find((key) => createHmac("sha256", key).update(text).digest(encoding) === given) ?? "nobody's";
  };
  const prefix = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  return {
    single: whose(headers["x-signature"]?.replace("sha256=", "") ?? "", "", "hex"),
    several: (headers["webhook-signature"] ?? "").split(" ").map((each) => whose(each.slice(3), prefix, "base64")),
  };
}
const subscribe = async (): Promise<string> => {
  const fields = { url: `${receiver.origin}/`, events: ["invoice.paid"], secret: OLD };
  return (await callApi(url, "POST", "/v1/webhooks", fields)).body.data.id;
};
const post = async (id: string, action: string, body?: unknown): Promise<void> => {
  const answer = await callApi(url, "POST", `/v1/webhooks/${id}/secret/${action}`, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
};
const rotation = { secret: NEW, overlapSeconds: 60 };

test("before, during, after the switch, and after the end of the overlap", async () => {
  const id = await subscribe();
  expect(await signers()).toEqual({ single: OLD, several: [OLD] });
  await post(id, "rotate", rotation);
  expect(await signers()).toEqual({ single: OLD, several: [OLD, NEW] });
  await post(id, "switch");
  expect(await signers()).toEqual({ single: NEW, several: [NEW, OLD] });
  clock.shiftMs += 61_000;
  expect(await signers()).toEqual({ single: NEW, several: [NEW] });
  await callApi(url, "DELETE", `/v1/webhooks/${id}`);
});

test("a rotation that nobody switched ends with the new secret, across a restart in the middle", async () => {
  const id = await subscribe();
  await post(id, "rotate", rotation);
  expect(await signers()).toEqual({ single: OLD, several: [OLD, NEW] });
  await node.node.stop();
  url = (await node.startAnother({ clock, soleNode: true })).url;
  expect(await signers()).toEqual({ single: OLD, several: [OLD, NEW] });
  clock.shiftMs += 61_000;
  expect(await signers()).toEqual({ single: NEW, several: [NEW] });
  // The row of the old secret is still there: it is the time that decides, not upkeep.
  const rows = await node.sql<{ purpose: string }>("select purpose from secret order by purpose");
  expect(rows.map((row) => row.purpose)).toEqual(["signing", "signing_next"]);
  // A snapshot that is made after the end says the same.
  await callApi(url, "PATCH", `/v1/webhooks/${id}`, { name: "read anew" });
  expect(await signers()).toEqual({ single: NEW, several: [NEW] });
});
