// What a receiver does with requests as a real node sends them, and with those that somebody else sends.
import { createHmac } from "node:crypto";
import { checkWebhook, InvalidArgument, verifySignature, verifyWebhook, WebhookRefused } from "@posthorn/client";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../../../server/test/support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../../../server/test/support/receivers/receiver.ts";

const SECRET = "your-secret-key";
let node: TestNode;
let receiver: Receiver;
let request: ReceivedRequest;

beforeAll(async () => {
  node = await startTestNode();
  receiver = await startReceiver();
  await node.api("POST", "/v1/webhooks", { url: `${receiver.origin}/in`, events: ["invoice.paid"], secret: SECRET });
  await node.api("POST", "/v1/events", {
    event: "invoice.paid",
    data: { object: { invoiceNumber: "INV-00871", total: 2567.5, notes: "Grüße, 発票" } },
  });
  request = (await receiver.received(1))[0] as ReceivedRequest;
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const real = () => ({ headers: request.headers, body: request.body, secret: SECRET });
const signedAtMs = () => Number(request.headers["webhook-timestamp"]) * 1_000;

describe("a request of Posthorn", () => {
  test.each([
    ["a Node.js buffer", () => request.body],
    ["bytes", () => new Uint8Array(request.body)],
    ["an ArrayBuffer", () => new Uint8Array(request.body).buffer],
    ["text", () => request.body.toString("utf8")],
  ])("is read from %s", async (_name, body) => {
    const { id, event, type, deliveryId, attempt, isTest } = await verifyWebhook({ ...real(), body: body() });
    expect(event).toEqual(JSON.parse(request.body.toString("utf8")));
    if (event.event !== "invoice.paid") throw new Error("the type decides what data is");
    const total: number | undefined = event.data.object.total;
    expect(total).toBe(2_567.5);
    expect({ id, type, deliveryId, attempt, isTest }).toEqual({
      id: event.id,
      type: "invoice.paid",
      deliveryId: request.headers["x-bigledger-delivery"],
      attempt: 1,
      isTest: false,
    });
  });

  test.each([
    ["of fetch", () => new Headers(request.headers)],
    [
      "in other letters",
      () => Object.fromEntries(Object.entries(request.headers).map(([k, v]) => [k.toUpperCase(), v])),
    ],
    ["as lists", () => Object.fromEntries(Object.entries(request.headers).map(([k, v]) => [k, [v]]))],
  ])("is believed with headers %s", async (_name, headers) => {
    expect((await verifyWebhook({ ...real(), headers: headers() })).type).toBe("invoice.paid");
  });

  test("is believed by X-Signature alone where the receiver says so, and then known by the signed id", async () => {
    const headers = { "x-signature": request.headers["x-signature"], "webhook-id": "evt_changed_on_the_way" };
    const { id, event } = await verifyWebhook({ ...real(), headers, profile: "bigledger" });
    expect(id).toBe(event.id);
    expect(await checkWebhook({ ...real(), headers })).toMatchObject({
      ok: false,
      reason: "MISSING_HEADER",
      message: expect.stringContaining('profile: "bigledger"'),
    });
  });

  test("is believed with the old or the new secret while it is rotated", async () => {
    for (const secret of [
      ["another", SECRET],
      [SECRET, "another"],
    ]) {
      expect((await checkWebhook({ ...real(), secret })).ok).toBe(true);
    }
    const twice = `v1,${Buffer.alloc(32).toString("base64")} ${request.headers["webhook-signature"]} v2,x`;
    const headers = { ...request.headers, "webhook-signature": twice };
    expect((await checkWebhook({ ...real(), headers })).ok).toBe(true);
  });
});

describe("a request that is not to be believed", () => {
  const changed = (name: string, value: string | undefined) => ({ headers: { ...request.headers, [name]: value } });
  const refusals: [string, string, () => object][] = [
    ["its body was changed", "SIGNATURE_MISMATCH", () => ({ body: Buffer.concat([request.body, Buffer.from(" ")]) })],
    ["its id was changed", "SIGNATURE_MISMATCH", () => changed("webhook-id", "evt_other")],
    ["the secret is another one", "SIGNATURE_MISMATCH", () => ({ secret: "your-secret-kez" })],
    ["it has no signature", "MISSING_HEADER", () => changed("webhook-signature", undefined)],
    ["it has no timestamp", "MISSING_HEADER", () => changed("webhook-timestamp", undefined)],
    ["it has no id", "MISSING_HEADER", () => changed("webhook-id", undefined)],
    ["its timestamp is no number", "MALFORMED_HEADER", () => changed("webhook-timestamp", "now")],
    ["its signature is no base64", "MALFORMED_HEADER", () => changed("webhook-signature", "v1,%%%")],
    ["it was signed long ago", "TIMESTAMP_TOO_OLD", () => ({ nowMs: signedAtMs() + 301_000 })],
    ["it was signed in the future", "TIMESTAMP_IN_FUTURE", () => ({ nowMs: signedAtMs() - 301_000 })],
    ["its body was parsed before", "BODY_NOT_BYTES", () => ({ body: JSON.parse(request.body.toString("utf8")) })],
  ];
  test.each(refusals)("because %s is refused as %s", async (_name, reason, change) => {
    const options = { ...real(), ...change() } as Parameters<typeof verifyWebhook>[0];
    const check = await checkWebhook(options);
    expect(check).toMatchObject({ ok: false, reason });
    expect(JSON.stringify(check)).not.toContain(SECRET);
    await expect(verifyWebhook(options)).rejects.toThrow(WebhookRefused);
  });

  test("is refused just outside the tolerance and taken just inside", async () => {
    const at = async (offsetSeconds: number) =>
      (await checkWebhook({ ...real(), toleranceSeconds: 10, nowMs: signedAtMs() + offsetSeconds * 1_000 })).ok;
    expect([await at(10), await at(11), await at(-10), await at(-11)]).toEqual([true, false, true, false]);
  });

  test("says what to do when a framework parsed the body", async () => {
    const check = await checkWebhook({ ...real(), body: {} as never });
    expect(check).toMatchObject({
      message: expect.stringMatching(/express\.raw\(\).*parseAs: 'buffer'.*request\.text\(\)/),
    });
  });
});

describe("a receiver that was set up wrongly", () => {
  test.each([
    ["an empty secret", { secret: "" }],
    ["no secret", { secret: undefined as never }],
    ["an empty list of secrets", { secret: [] }],
    ["a secret whose base64 is broken", { secret: "whsec_***" }],
    ["a tolerance that is none", { toleranceSeconds: Number.NaN }],
  ])("with %s is told at once, not with a refusal that looks like an attack", async (_name, change) => {
    await expect(checkWebhook({ ...real(), ...change })).rejects.toThrow(InvalidArgument);
  });
});

describe("other profiles", () => {
  const body = Buffer.from("amount=12&currency=MYR");
  const hmac = (encoding: "hex" | "base64", prefix = "", algorithm = "sha256") =>
    createHmac(algorithm, SECRET).update(prefix).update(body).digest(encoding);
  const seconds = 1_790_000_000;
  test.each([
    ["github", { "x-hub-signature-256": `sha256=${hmac("hex")}` }, "github"],
    ["shopify", { "x-shopify-hmac-sha256": hmac("base64") }, "shopify"],
    ["stripe", { "stripe-signature": `t=${seconds},v1=${hmac("hex", `${seconds}.`)}` }, "stripe"],
    [
      "a named header",
      { "x-webhook-signature": hmac("hex", "", "sha512") },
      { type: "header", header: "X-Webhook-Signature", algorithm: "sha512", encoding: "hex" },
    ],
  ] as const)("%s fits, and does not when a byte is changed", async (_name, headers, profile) => {
    const options = { headers, body, secret: SECRET, profile, nowMs: seconds * 1_000 };
    expect((await verifySignature(options)).ok).toBe(true);
    const other = Buffer.from(body);
    other[0] = 98;
    expect(await verifySignature({ ...options, body: other })).toMatchObject({ reason: "SIGNATURE_MISMATCH" });
    expect(await checkWebhook(options)).toMatchObject({ ok: false, reason: "BODY_NOT_JSON" });
  });
});
