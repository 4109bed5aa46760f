// `POST /webhooks/{id}/diagnose` on a whole node, against receivers of which each is wrong in its own way. Broken on
// purpose: an inspection that dials before it asks the guard, or names the address, turns the test of the guard red.
import { afterAll, beforeAll, expect, test } from "vitest";
import { parseAllowTargets } from "../../src/security/addresses/allow-targets.ts";
import { startTestNode, type TestNode } from "../support/node.ts";
import { createTestCertificate } from "../support/receivers/certificates.ts";
import { type Receiver, type ReceiverOptions, startReceiver } from "../support/receivers/receiver.ts";
import { resolveTo } from "../support/outbound.ts";

const DAY_MS = 86_400_000;
const authority = createTestCertificate({ commonName: "Test authority", isAuthority: true });
const issuer = { ...authority, commonName: "Test authority" };
const issued = (days: number, names = ["127.0.0.1"]) =>
  createTestCertificate({
    commonName: "receiver.example",
    names,
    issuer,
    notBefore: new Date(Date.now() - 90 * DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
  });

let node: TestNode;
const receivers: Receiver[] = [];
beforeAll(async () => {
  const allow = parseAllowTargets("127.0.0.1");
  if (!allow.ok) throw new Error(allow.error);
  node = await startTestNode({
    allowTargets: allow.targets,
    furtherCas: [authority.certificate],
    // Public names lead to a private address: what a rebinding attack, or a mistake, looks like.
    resolve: async (name) => {
      if (name === "gone.example.com") throw Object.assign(new Error("no such name"), { code: "ENOTFOUND" });
      return resolveTo("10.11.12.13")(name);
    },
  });
});
afterAll(async () => {
  await node?.stop();
  for (const receiver of receivers) await receiver.close();
});

async function diagnose(url: string, body?: unknown, fields: Record<string, unknown> = {}) {
  const made = await node.api("POST", "/v1/webhooks", { url, events: ["invoice.*"], ...fields });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  const answer = await node.api("POST", `/v1/webhooks/${made.body.data.id}/diagnose`, body);
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body.data;
}

async function startOne(options: ReceiverOptions): Promise<Receiver> {
  const started = await startReceiver(options);
  receivers.push(started);
  return started;
}
const statusesOf = (data: { steps: { step: string; status: string }[] }) =>
  Object.fromEntries(data.steps.map(({ step, status }) => [step, status]));

test("a receiver that works: every step passes, the chain is shown, one test request arrives, nothing is stored", async () => {
  const works = await startOne({ tls: issued(60) });
  const data = await diagnose(`${works.origin}/in`, undefined, { auth: { type: "bearer", token: "a-secret-token" } });
  expect(data.verdict).toMatchObject({ status: "ok", step: "request", nextStep: null });
  expect(statusesOf(data)).toEqual({
    webhook: "passed",
    dns: "skipped",
    guard: "passed",
    connect: "passed",
    tls: "passed",
    credentials: "passed",
    request: "passed",
  });
  expect(data.certificates[0]).toMatchObject({
    subject: "receiver.example",
    issuer: "Test authority",
    names: ["127.0.0.1"],
    daysLeft: 59,
  });
  expect(data.address).toBe(`127.0.0.1:${works.port}`);
  const [request] = await works.received(1);
  expect(request?.headers["x-bigledger-test"]).toBe("true");
  expect(JSON.stringify(data)).not.toContain("a-secret-token");
  expect(await node.sql("select 1 from attempt")).toEqual([]);
});

test("`send: false` looks and sends nothing", async () => {
  const works = await startOne({ tls: issued(60) });
  const data = await diagnose(works.origin, { send: false });
  expect([data.verdict.status, statusesOf(data)["request"], data.test]).toEqual(["ok", "skipped", null]);
  expect(works.requests).toHaveLength(0);
});

test("a certificate that runs out within a fortnight is a warning with its days", async () => {
  const data = await diagnose((await startOne({ tls: issued(5) })).origin);
  expect(data.verdict).toMatchObject({ status: "warning", step: "tls" });
  expect(data.verdict.message).toContain("in 4 days");
  expect(statusesOf(data)["request"]).toBe("passed");
});

test.each([
  ["expired", issued(-3), "has expired", "Renew"],
  ["for another name", issued(60, ["other.example"]), "another name", "name"],
  ["self-signed", createTestCertificate({ commonName: "me", names: ["127.0.0.1"] }), "self-signed", "public authority"],
])(
  "a certificate that is %s: its chain is shown, no request is sent, the next step says what to do",
  async (...args) => {
    const [, tls, seen, next] = args;
    const wrong = await startOne({ tls });
    const data = await diagnose(wrong.origin);
    expect(data.verdict).toMatchObject({ status: "failed", step: "tls" });
    expect(data.verdict.message).toContain(seen);
    expect(data.verdict.nextStep).toContain(next);
    expect(data.certificates.length).toBeGreaterThan(0);
    expect(statusesOf(data)["request"]).toBe("skipped");
    expect(wrong.requests).toHaveLength(0);
  },
);

test("a port on which nothing listens, a name that does not exist, a path that nobody knows, a wrong credential", async () => {
  const closed = await startReceiver({});
  await closed.close();
  const refused = await diagnose(closed.origin);
  expect(refused.verdict).toMatchObject({ status: "failed", step: "connect" });
  expect(refused.verdict.nextStep).toContain("Start the receiver");

  const gone = await diagnose("https://gone.example.com/in");
  expect(gone.verdict).toMatchObject({ status: "failed", step: "dns" });
  expect(statusesOf(gone)).toMatchObject({ guard: "skipped", connect: "skipped", request: "skipped" });

  const answers = await startOne({ answer: ({ path }) => (path === "/a" ? 404 : path === "/b" ? 401 : 500) });
  for (const [path, next] of [
    ["/a", "path"],
    ["/b", "auth"],
    ["/c", "log"],
  ] as const) {
    const data = await diagnose(answers.origin + path);
    expect(data.verdict).toMatchObject({ status: "failed", step: "request" });
    expect(data.verdict.nextStep).toContain(next);
    expect(data.steps.find(({ step }: { step: string }) => step === "tls").status).toBe("warning"); // http
  }
});

test("a name that leads into a private network is not dialled, and the answer does not say where it leads", async () => {
  const data = await diagnose("https://inside.example.com/in");
  expect(data.verdict).toMatchObject({ status: "failed", step: "guard" });
  expect(statusesOf(data)).toMatchObject({ dns: "passed", connect: "skipped", tls: "skipped", request: "skipped" });
  expect(data.address).toBeNull();
  expect(JSON.stringify(data)).not.toContain("10.11.12.13");
});

test("a receiver that accepts and says nothing ends with the webhook's timeout, in the phase where it hung", async () => {
  const mute = await startOne({ answer: () => "hang" });
  const data = await diagnose(mute.origin, undefined, { timeout: 1 });
  expect(data.verdict).toMatchObject({ status: "failed", step: "request" });
  expect(data.verdict.message).toContain("waiting for the answer");
});

test("one of another tenant's mode or of nobody is not found, unknown fields and types are refused", async () => {
  const works = await startOne({});
  const made = await node.api("POST", "/v1/webhooks", { url: works.origin, events: ["invoice.*"] });
  const path = `/v1/webhooks/${made.body.data.id}/diagnose`;
  expect((await node.api("POST", "/v1/webhooks/webhook_01KATEK0G3F3Q8T9W7M1N5V2XB/diagnose")).status).toBe(404);
  expect((await node.api("POST", path, { url: "http://127.0.0.1:22" })).status).toBe(422);
  expect((await node.api("POST", path, { event: "no.such" })).status).toBe(422);
  expect(works.requests).toHaveLength(0);
});
