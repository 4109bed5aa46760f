// Each signature profile as a receiver really gets it, checked by the verifier that its inventor publishes.
import { createHmac, timingSafeEqual } from "node:crypto";
import { verify as verifyGitHub } from "@octokit/webhooks-methods";
import { Stripe } from "stripe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../server/test/support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";

let node: TestNode;
let receiver: Receiver;
beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const DATA = { object: { invoiceNumber: "INV-00871", customer: { name: "Ünïcode 😀" }, total: 2567.5 } };

/** The next request of a webhook with one profile, and what a thief would make of it. */
async function receive(profile: unknown, secret: string) {
  const before = receiver.requests.length;
  const fields = { url: `${receiver.origin}/`, events: ["invoice.paid"], secret, signature: { profiles: [profile] } };
  const made = await node.api("POST", "/v1/webhooks", fields);
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  await node.api("POST", "/v1/events", { event: "invoice.paid", data: DATA });
  const { headers, body } = (await receiver.received(before + 1))[before] as ReceivedRequest;
  await node.api("DELETE", `/v1/webhooks/${made.body.data.id}`);
  const text = body.toString("utf8");
  return { headers, text, tampered: text.replace("INV-00871", "INV-00872") };
}

const SECRETS = ["your-secret-key", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "schlüssel-€-geheim"];

describe.each(SECRETS)("signed with %s", (secret) => {
  test("stripe: webhooks.constructEvent takes it, within its tolerance, and no other body", async () => {
    const { headers, text, tampered } = await receive("stripe", secret);
    const signature = headers["stripe-signature"] ?? "";
    const { webhooks } = new Stripe("sk_test_unused");
    expect(webhooks.constructEvent(text, signature, secret)).toMatchObject({ event: "invoice.paid", data: DATA });
    expect(() => webhooks.constructEvent(tampered, signature, secret)).toThrow(/signature/);
    expect(() => webhooks.constructEvent(text, signature, `${secret}!`)).toThrow(/signature/);
    const seconds = Number(/^t=(\d+),/.exec(signature)?.[1]);
    const later = (seconds + 301) * 1_000;
    expect(() => webhooks.constructEvent(text, signature, secret, 300, undefined, later)).toThrow(/tolerance/i);
  });

  test("github: @octokit/webhooks-methods takes it, and no other body", async () => {
    const { headers, text, tampered } = await receive("github", secret);
    const signature = headers["x-hub-signature-256"] ?? "";
    expect(await verifyGitHub(secret, text, signature)).toBe(true);
    expect(await verifyGitHub(secret, tampered, signature)).toBe(false);
    expect(await verifyGitHub(`${secret}!`, text, signature)).toBe(false);
  });

  test("shopify: the digest that its documentation has receivers compute", async () => {
    const { headers, text, tampered } = await receive("shopify", secret);
    const given = Buffer.from(headers["x-shopify-hmac-sha256"] ?? "", "base64");
    const computed = (body: string) => createHmac("sha256", secret).update(body, "utf8").digest();
    expect(timingSafeEqual(computed(text), given)).toBe(true);
    expect(timingSafeEqual(computed(tampered), given)).toBe(false);
  });

  test("a named header: the bare hexadecimal that BigLedger's membership page checks", async () => {
    const profile = { type: "header", header: "x-webhook-signature", algorithm: "sha256", encoding: "hex" };
    const { headers, text } = await receive(profile, secret);
    expect(headers["x-webhook-signature"]).toBe(createHmac("sha256", secret).update(text).digest("hex"));
  });
});
