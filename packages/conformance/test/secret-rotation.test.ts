// A rotation as receivers live through it: those that check by a library with the old secret and those that have the new
// one already accept the same request, until the overlap ends.
import { verify as verifyGitHub } from "@octokit/webhooks-methods";
import { Webhook as StandardWebhook } from "standardwebhooks";
import { Stripe } from "stripe";
import { Webhook as SvixWebhook } from "svix";
import { afterAll, beforeAll, expect, test } from "vitest";
import { DatabaseClock } from "../../server/src/lib/clock.ts";
import { startTestNode, type TestNode } from "../../server/test/support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";

/** Database time, put forward by less than the libraries' tolerance of five minutes. */
class ShiftedClock extends DatabaseClock {
  shiftMs = 0;
  override nowMs(): number {
    return super.nowMs() + this.shiftMs;
  }
}

const clock = new ShiftedClock();
let node: TestNode;
let receiver: Receiver;
beforeAll(async () => {
  node = await startTestNode({ clock });
  receiver = await startReceiver();
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

interface Secret {
  readonly secret: string;
  readonly standardWebhooksSecret: string;
}

/** Which verifiers accept the next request with a secret. */
async function accepted(secrets: Record<string, Secret>): Promise<Record<string, string[]>> {
  const before = receiver.requests.length;
  await node.api("POST", "/v1/events", { event: "invoice.paid", data: { object: { total: 1 } } });
  const { headers, body } = (await receiver.received(before + 1))[before] as ReceivedRequest;
  const text = body.toString("utf8");
  const standardHeaders = {
    "webhook-id": headers["webhook-id"] ?? "",
    "webhook-timestamp": headers["webhook-timestamp"] ?? "",
    "webhook-signature": headers["webhook-signature"] ?? "",
  };
  const verifiers: Record<string, (secret: Secret) => unknown> = {
    standardwebhooks: (secret) => new StandardWebhook(secret.standardWebhooksSecret).verify(text, standardHeaders),
    svix: (secret) => new SvixWebhook(secret.standardWebhooksSecret).verify(text, standardHeaders),
    stripe: (secret) =>
      new Stripe("sk_test_unused").webhooks.constructEvent(text, headers["stripe-signature"] ?? "", secret.secret),
    github: async (secret) => {
      if (!(await verifyGitHub(secret.secret, text, headers["x-hub-signature-256"] ?? ""))) throw new Error("refused");
    },
  };
  const result: Record<string, string[]> = {};
  for (const [verifier, verify] of Object.entries(verifiers)) {
    result[verifier] = [];
    for (const [name, secret] of Object.entries(secrets)) {
      try {
        await verify(secret);
        result[verifier].push(name);
      } catch {
        // Refused, which is what is asked here.
      }
    }
  }
  return result;
}

test("old and new verifiers accept the overlap's requests; one signature alone follows the switch", async () => {
  const made = await node.api("POST", "/v1/webhooks", {
    url: `${receiver.origin}/`,
    events: ["invoice.paid"],
    signature: { profiles: ["standard", "stripe", "github"] },
  });
  const path = `/v1/webhooks/${made.body.data.id}/secret`;
  const old: Secret = made.body.data;
  const fresh: Secret = (await node.api("POST", `${path}/rotate`, { overlapSeconds: 60 })).body.data;
  expect(fresh.secret).not.toBe(old.secret);
  const secrets = { old, fresh };
  const both = { standardwebhooks: ["old", "fresh"], svix: ["old", "fresh"], stripe: ["old", "fresh"] };

  expect(await accepted(secrets)).toEqual({ ...both, github: ["old"] });
  expect((await node.api("POST", `${path}/switch`)).status).toBe(200);
  expect(await accepted(secrets)).toEqual({ ...both, github: ["fresh"] });
  clock.shiftMs += 61_000;
  const onlyFresh = ["fresh"];
  expect(await accepted(secrets)).toEqual({
    standardwebhooks: onlyFresh,
    svix: onlyFresh,
    stripe: onlyFresh,
    github: onlyFresh,
  });
});
