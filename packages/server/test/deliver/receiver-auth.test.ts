// Authorisation and signatures as a real receiver gets them from a real node, and the secrets behind them nowhere else:
// not in an answer, a table, the audit trail or the log.
import { createHmac } from "node:crypto";
import { Writable } from "node:stream";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { type ReceivedRequest, type Receiver, startReceiver } from "../support/receivers/receiver.ts";

const logged: string[] = [];
const answers: string[] = [];
let node: TestNode;
let receiver: Receiver;
let failing = false;

beforeAll(async () => {
  const sink = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  node = await startTestNode({ log: pino({ level: "trace" }, sink) });
  // A receiver that tells what it got, as error pages and request bins do.
  receiver = await startReceiver({
    answer: ({ headers }) => ({
      status: failing ? 500 : 200,
      headers: { "X-Echo": [headers["authorization"], headers["x-client"]].join(" ") },
      body: JSON.stringify(headers),
    }),
  });
});
afterAll(async () => {
  await node?.stop();
  await receiver?.close();
});

const api = async (method: string, path: string, body?: unknown) => {
  const answer = await node.api(method, path, body);
  answers.push(JSON.stringify([...answer.headers]), JSON.stringify(answer.body));
  return answer;
};
const subscribe = async (fields: Record<string, unknown>): Promise<string> => {
  const made = await api("POST", "/v1/webhooks", { url: `${receiver.origin}/`, events: ["invoice.paid"], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  return made.body.data.id;
};
/** Publishes one event and gives its request back. */
const deliver = async (data: unknown = { object: { total: 1 } }): Promise<ReceivedRequest> => {
  const before = receiver.requests.length;
  await api("POST", "/v1/events", { event: "invoice.paid", data });
  return (await receiver.received(before + 1))[before] as ReceivedRequest;
};
const remove = (id: string) => api("DELETE", `/v1/webhooks/${id}`);

describe("authorisation arrives", () => {
  const kinds: [Record<string, unknown>, string, string][] = [
    [{ type: "apiKey", header: "X-API-Key", value: "arrives-0" }, "x-api-key", "arrives-0"],
    [{ type: "apiKey", header: "Authorization", value: "Token arrives-1" }, "authorization", "Token arrives-1"],
    [{ type: "bearer", token: "arrives-2" }, "authorization", "Bearer arrives-2"],
    [{ type: "oauth2", accessToken: "arrives-3" }, "authorization", "Bearer arrives-3"],
    [
      { type: "basic", username: "Ledger", password: "päss:word" },
      "authorization",
      `Basic ${Buffer.from("Ledger:päss:word").toString("base64")}`,
    ],
    [
      { type: "basic", username: "key-as-user-name", password: "" },
      "authorization",
      `Basic ${Buffer.from("key-as-user-name:").toString("base64")}`,
    ],
  ];
  test.each(kinds)("%j", async (auth, header, value) => {
    const id = await subscribe({ auth });
    expect((await deliver()).headers[header]).toBe(value);
    await remove(id);
  });

  test("and the next request after a change has the new secret", async () => {
    const id = await subscribe({ auth: { type: "bearer", token: "first" }, headers: { "X-Token": "one" } });
    await deliver();
    await api("PATCH", `/v1/webhooks/${id}`, {
      auth: { type: "bearer", token: "second" },
      headers: { "X-Token": "two", "X-Plain": "3" },
    });
    const { headers } = await deliver();
    expect([headers["authorization"], headers["x-token"], headers["x-plain"]]).toEqual(["Bearer second", "two", "3"]);
    await remove(id);
  });

  test("a header that an earlier release stored in clear is sent as before", async () => {
    const id = await subscribe({});
    await node.sql(
      `update webhook set configuration = jsonb_set(configuration::jsonb, '{headers}', '{"X-API-Key": "from-before"}')`,
    );
    await api("PATCH", `/v1/webhooks/${id}`, { name: "makes the node read it" });
    expect((await deliver()).headers["x-api-key"]).toBe("from-before");
    await remove(id);
  });
});

describe("signatures", () => {
  const secret = "your-secret-key";
  const hmac = (body: Buffer, encoding: "hex" | "base64", algorithm = "sha256") =>
    createHmac(algorithm, secret).update(body).digest(encoding);

  test("are those of the profiles and no others; webhook-id is there whatever they are", async () => {
    const own = {
      type: "header",
      header: "X-Webhook-Signature",
      algorithm: "sha512",
      encoding: "base64",
      prefix: "b=",
    };
    const id = await subscribe({ secret, signature: { profiles: ["github", "shopify", own] } });
    const { headers, body } = await deliver();
    expect(headers["x-hub-signature-256"]).toBe(`sha256=${hmac(body, "hex")}`);
    expect(headers["x-shopify-hmac-sha256"]).toBe(hmac(body, "base64"));
    expect(headers["x-webhook-signature"]).toBe(`b=${hmac(body, "base64", "sha512")}`);
    expect(headers["webhook-id"]).toMatch(/^evt_/);
    for (const absent of ["x-signature", "webhook-signature", "webhook-timestamp", "stripe-signature"]) {
      expect(headers[absent]).toBeUndefined();
    }
    await remove(id);
  });

  test("of a large body, made in the other thread, are as right", async () => {
    const id = await subscribe({ secret, signature: { profiles: ["bigledger", "shopify", "stripe"] } });
    const { headers, body } = await deliver({ object: { text: "x".repeat(400_000) } });
    expect(body.length).toBeGreaterThan(400_000);
    expect(headers["x-signature"]).toBe(`sha256=${hmac(body, "hex")}`);
    expect(headers["x-shopify-hmac-sha256"]).toBe(hmac(body, "base64"));
    const [, seconds, given] = /^t=(\d+),v1=(.*)$/.exec(headers["stripe-signature"] ?? "") ?? [];
    const text = Buffer.concat([Buffer.from(`${seconds}.`), body]);
    expect(given).toBe(hmac(text, "hex"));
    await remove(id);
  });
});

test("no secret is to be found in any answer, table, trail or log line", async () => {
  const secrets = {
    signing: "hunt-me-signing-1",
    next: "hunt-me-next-2",
    bearer: "hunt-me-bearer-3",
    basic: "hunt-me-basic-4",
    apiKey: "hunt-me-apikey-5",
    header: "hunt-me-header-6",
  };
  // Shown once where they were asked for: those two answers are not among those looked through.
  const make = async (fields: Record<string, unknown>) => {
    const body = { url: `${receiver.origin}/hunt`, events: ["invoice.paid"], ...fields };
    const made = await node.api("POST", "/v1/webhooks", body);
    const { secret: _secret, standardWebhooksSecret: _standard, ...rest } = made.body.data;
    answers.push(JSON.stringify(rest));
    return made.body.data.id as string;
  };
  const profiles = ["bigledger", "standard", "stripe", "github"];
  const ids = [
    await make({
      secret: secrets.signing,
      headers: { "X-Secret-Header": secrets.header, "X-Shop": "7" },
      auth: { type: "bearer", token: secrets.bearer },
      signature: { profiles },
    }),
    await make({ auth: { type: "basic", username: "ledger", password: secrets.basic } }),
    // A name that does not look secret: the value is all the same.
    await make({ auth: { type: "apiKey", header: "X-Client", value: secrets.apiKey }, retryPolicy: { maxRetries: 5 } }),
  ];
  const rotated = await node.api("POST", `/v1/webhooks/${ids[0]}/secret/rotate`, { secret: secrets.next });
  expect(rotated.status).toBe(200);

  const before = receiver.requests.length;
  await api("POST", "/v1/events", { event: "invoice.paid", data: { object: {} } });
  failing = true;
  await api("POST", "/v1/events", { event: "invoice.paid", data: { object: {} } });
  const requests = await receiver.received(before + 6);
  failing = false;
  expect(requests.map((request) => request.headers["x-client"])).toContain(secrets.apiKey);
  await api("POST", `/v1/webhooks/${ids[0]}/secret/switch`);
  await api("PATCH", `/v1/webhooks/${ids[0]}`, { headers: { "X-Secret-Header": "********", "X-Shop": "8" } });
  const refused = [
    { auth: { type: "bearer", token: `${secrets.bearer}\n` } },
    { headers: { "X-Secret-Header": `${secrets.header}\n` } },
    { auth: { type: "basic", username: "a:b", password: secrets.basic } },
    { auth: { type: "jwt", token: secrets.bearer } },
    { auth: { type: "bearer", token: secrets.bearer }, headers: { authorization: secrets.header } },
    { signature: { profiles: [secrets.signing] } },
  ];
  for (const fields of refused) expect((await api("PATCH", `/v1/webhooks/${ids[0]}`, fields)).status).toBe(422);

  failing = true;
  for (const id of ids) {
    const tested = await api("POST", `/v1/webhooks/${id}/test`, { event: "invoice.paid" });
    expect(tested.body.data.responseBody, JSON.stringify(tested.body)).toContain("webhook-id");
  }
  failing = false;

  await api("GET", "/v1/webhooks");
  for (const id of ids) for (const part of ["", "/versions"]) await api("GET", `/v1/webhooks/${id}${part}`);
  const { body: list } = await api("GET", "/v1/deliveries?limit=200");
  expect(list.data.length).toBeGreaterThanOrEqual(6);
  for (const { id, eventId } of list.data) {
    await api("GET", `/v1/deliveries/${id}`);
    await api("GET", `/v1/deliveries/${id}/request`);
    await api("GET", `/v1/events/${eventId}`);
  }
  await api("GET", "/v1/audit");
  const tables = await node.sql<{ t: string | null }>(
    `select string_agg(query_to_xml(format('select * from %I', c.relname), true, false, '')::text, '') as t
     from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')`,
  );

  const places = { answers: answers.join("\n"), tables: tables[0]?.t ?? "", log: logged.join("\n") };
  for (const text of Object.values(places)) expect(text.length).toBeGreaterThan(1_000);
  for (const secret of Object.values(secrets)) {
    for (const form of ["utf8", "hex", "base64"] as const) {
      const hunted = Buffer.from(secret).toString(form).replace(/=+$/, "");
      for (const [place, text] of Object.entries(places))
        expect(text.includes(hunted), `${place}: ${hunted}`).toBe(false);
    }
  }
  const basic = Buffer.from(`ledger:${secrets.basic}`).toString("base64");
  for (const [place, text] of Object.entries(places)) expect(text.includes(basic), place).toBe(false);
  // The hunt does find what is there.
  expect(places.answers).toContain("X-Secret-Header");
  expect(places.tables).toContain("X-Secret-Header");
  expect(places.answers).toContain(`\\"x-secret-header\\":\\"********\\"`);
  for (const id of ids) await remove(id);
});
