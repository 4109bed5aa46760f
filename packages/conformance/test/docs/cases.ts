// Real deliveries captured from a real node, and what can be wrong with one: what the documents' verifiers must accept
// and what they must refuse.
import { createHmac } from "node:crypto";
import { startTestNode } from "../../../server/test/support/node.ts";
import { type ReceivedRequest, startReceiver } from "../../../server/test/support/receivers/receiver.ts";

export interface Case {
  readonly name: string;
  /** Which function: `X-Signature`, or Standard Webhooks. */
  readonly kind: "x" | "standard";
  readonly secret: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly isGenuine: boolean;
}

const PLAIN_SECRET = "your-secret-key é";
const TOO_OLD_SECONDS = 600;
const NAMES = ["x-signature", "webhook-id", "webhook-timestamp", "webhook-signature"] as const;

/** One line for the harnesses: kind, secret, body, headers in base64; `-` for a header that is not there. */
export function lineOf({ kind, secret, body, headers }: Case): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const values = NAMES.map((name) => (headers[name] === undefined ? "-" : base64(headers[name])));
  return [kind, base64(secret), body.toString("base64"), ...values].join("\t");
}

/** Publishes, receives, and makes the cases of what came. */
export async function captureCases(): Promise<Case[]> {
  const receiver = await startReceiver();
  const node = await startTestNode();
  try {
    const create = async (fields: Record<string, unknown>) => {
      const body = { url: receiver.origin, events: ["invoice.paid"], ...fields };
      const answer = await node.api("POST", "/v1/webhooks", body);
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
      return answer.body.data as { id: string; secret: string };
    };
    const publish = async (count: number): Promise<readonly ReceivedRequest[]> => {
      const before = receiver.requests.length;
      const data = { object: { invoiceNumber: "INV-00871", note: "Größe 東京 \u{1f4ef}", total: 2567.5 } };
      const answer = await node.api("POST", "/v1/events", { event: "invoice.paid", data });
      if (answer.status !== 202) throw new Error(JSON.stringify(answer.body));
      return (await receiver.received(before + count)).slice(before);
    };
    const plain = await create({ secret: PLAIN_SECRET });
    const [first] = await publish(1);
    await node.api("DELETE", `/v1/webhooks/${plain.id}`);
    const made = await create({});
    const [second] = await publish(1);
    const rotated = await node.api("POST", `/v1/webhooks/${made.id}/secret/rotate`, {});
    const [third] = await publish(1);
    if (first === undefined || second === undefined || third === undefined) throw new Error("nothing arrived");
    const next = rotated.body.data.secret as string;
    if (!made.secret.startsWith("whsec_") || next === undefined)
      throw new Error("the secrets are not of the form expected");
    return [
      ...casesOf("a secret of one's own", first, PLAIN_SECRET),
      ...casesOf("a secret that was made", second, made.secret),
      accept("during a rotation, the old secret", "standard", third, made.secret),
      accept("during a rotation, the new secret", "standard", third, next),
      accept("during a rotation, X-Signature with the old secret", "x", third, made.secret),
      refuse("during a rotation, X-Signature with the new secret", "x", third, next),
    ];
  } finally {
    await node.stop();
    await receiver.close();
  }
}

const accept = (name: string, kind: Case["kind"], request: ReceivedRequest, secret: string): Case => ({
  name,
  kind,
  secret,
  body: request.body,
  headers: request.headers,
  isGenuine: true,
});

const refuse = (
  name: string,
  kind: Case["kind"],
  request: ReceivedRequest,
  secret: string,
  changed: { body?: Buffer; headers?: Record<string, string | undefined> } = {},
): Case => ({
  ...accept(name, kind, request, secret),
  ...(changed.body === undefined ? {} : { body: changed.body }),
  headers: { ...request.headers, ...changed.headers },
  isGenuine: false,
});

function casesOf(about: string, request: ReceivedRequest, secret: string): Case[] {
  const tampered = Buffer.from(request.body.toString().replace("2567.5", "9567.5"));
  const now = Math.floor(Date.now() / 1_000);
  const signature = request.headers["webhook-signature"] ?? "";
  const no = (name: string, kind: Case["kind"], changed: Parameters<typeof refuse>[4]) =>
    refuse(`${about}: ${name}`, kind, request, secret, changed);
  return [
    accept(`${about}: X-Signature`, "x", request, secret),
    accept(`${about}: Standard Webhooks`, "standard", request, secret),
    {
      ...accept(`${about}: among signatures of other versions`, "standard", request, secret),
      headers: { ...request.headers, "webhook-signature": `v1a,AAAA v1,AAAA ${signature}` },
    },
    no("X-Signature over another body", "x", { body: tampered }),
    no("X-Signature over an empty body", "x", { body: Buffer.alloc(0) }),
    no("no X-Signature", "x", { headers: { "x-signature": undefined } }),
    no("X-Signature without its prefix", "x", { headers: { "x-signature": request.headers["x-signature"]?.slice(7) } }),
    refuse(`${about}: X-Signature, another secret`, "x", request, "another-secret"),
    no("another body", "standard", { body: tampered }),
    refuse(`${about}: another secret`, "standard", request, "another-secret"),
    no("another id", "standard", { headers: { "webhook-id": "evt_another" } }),
    no("no id", "standard", { headers: { "webhook-id": undefined } }),
    no("another time", "standard", { headers: { "webhook-timestamp": String(now - 7) } }),
    no("no time", "standard", { headers: { "webhook-timestamp": undefined } }),
    no("a time that is no number", "standard", { headers: { "webhook-timestamp": `${now}x` } }),
    no("no signature", "standard", { headers: { "webhook-signature": undefined } }),
    no("an empty signature", "standard", { headers: { "webhook-signature": "" } }),
    no("a signature of another version", "standard", {
      headers: { "webhook-signature": signature.replace("v1,", "v2,") },
    }),
    no("captured ten minutes ago", "standard", { headers: signedAt(request, secret, now - TOO_OLD_SECONDS) }),
    no("from ten minutes ahead", "standard", { headers: signedAt(request, secret, now + TOO_OLD_SECONDS) }),
  ];
}

/** Genuine but for its time: nothing but the window can refuse it. */
function signedAt(request: ReceivedRequest, secret: string, seconds: number): Record<string, string> {
  const key = secret.startsWith("whsec_") ? Buffer.from(secret.slice(6), "base64") : Buffer.from(secret);
  const hmac = createHmac("sha256", key)
    .update(`${request.headers["webhook-id"]}.${seconds}.`)
    .update(request.body)
    .digest("base64");
  return { "webhook-timestamp": String(seconds), "webhook-signature": `v1,${hmac}` };
}
