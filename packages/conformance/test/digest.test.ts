// People are told of trouble and of its end, by mail through a real SMTP server and by a real chat receiver: once for each
// window whatever nodes there are, again when it failed, with what to do next, and never with a secret.
// Seen red: without the condition of `on conflict … do update` the second of two nodes claims what the first has; without
// `requireTLS` the password goes over the open line.
import { createTestCertificate } from "../../server/test/support/receivers/certificates.ts";
import { createMailer } from "../../server/src/security/outbound/mailer.ts";
import { type DigestMail, tellPeople } from "../../server/src/maintain/digest/digests.ts";
import { claimDueChannels } from "../../server/src/maintain/digest/digests.sql.ts";
import { type Executor, openPools } from "../../server/src/storage/pools.ts";
import { startTestNode, type TestNode } from "../../server/test/support/node.ts";
import { type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";
import { until } from "../../server/test/support/until.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMailServer, type TestMailServer } from "./mail-server.ts";

const authority = createTestCertificate({ commonName: "Test authority", isAuthority: true });
const issuer = { ...authority, commonName: "Test authority" };
const tls = createTestCertificate({ commonName: "127.0.0.1", names: ["127.0.0.1"], issuer });
const LOGIN = { user: "posthorn", password: "hidden pass%word" };
const FROM = { name: "Posthorn", address: "posthorn@example.com" };

let mailServer: TestMailServer;
let chat: Receiver;
let shop: Receiver;
let isShopDown = true;
let node: TestNode;
beforeAll(async () => {
  mailServer = await startMailServer({ ...LOGIN, tls });
  chat = await startReceiver();
  shop = await startReceiver({ answer: () => (isShopDown ? 500 : 200) });
  node = await startTestNode({
    mailServer: { host: "127.0.0.1", port: mailServer.port, isTlsAtOnce: false, ...LOGIN, from: FROM },
    furtherCas: [authority.certificate],
    breaker: { firstOpenMs: 300, longestOpenMs: 1_000 },
  });
  await api("PATCH", "/v1/tenants/current", { administratorEmail: "it@example.com", timeZone: "Asia/Kuala_Lumpur" });
});
afterAll(async () => {
  await node?.stop();
  await mailServer?.close();
  for (const receiver of [chat, shop]) await receiver?.close();
});

const api = async (method: string, path: string, body?: unknown) => {
  const answer = await node.api(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body.data;
};
const digest = () => api("GET", "/v1/digest");
/** What happened is long enough ago to be told now. */
const settle = () => node.sql("update digest_entry set noted_at = noted_at - interval '2 minutes'");
const waits = (type: string) =>
  until(
    `${type} waits to be told`,
    async () => (await node.sql("select 1 from digest_entry where type = $1", [type])).length > 0,
  );
const mailsCome = (count: number) =>
  until(`${count} mails`, async () => (mailServer.mails.length >= count ? mailServer.mails : null), 40_000);

let webhookId = "";

test("the administrator is told soon after the trouble: what, since when, what was given up, what to do; the chat too", async () => {
  const set = await api("PATCH", "/v1/digest", { chatUrl: `${chat.origin}/services/T0/very-secret-path` });
  expect(set).toMatchObject({ emails: null, emailsInForce: ["it@example.com"], mailServer: true });
  expect(JSON.stringify(set)).not.toContain("very-secret");
  const made = await api("POST", "/v1/webhooks", {
    url: `${shop.origin}/in?token=very-secret`,
    events: ["invoice.paid"],
    name: "Shop <b>\u2028@channel",
    retryPolicy: { maxRetries: 0 },
    maxInFlight: 5,
  });
  webhookId = made.id;
  const events = Array.from({ length: 12 }, (_, n) => ({
    event: "invoice.paid",
    data: { object: { id: `inv_${n}`, invoiceNumber: `INV-${n}`, payload: "very-secret" } },
  }));
  await api("POST", "/v1/events/batch", { events });
  await waits("webhook.health_changed");
  await waits("delivery.dead_lettered");
  await settle();
  const [{ mail, raw, to, wasEncrypted } = expect.fail("no mail")] = await mailsCome(1);
  expect(to).toEqual(["it@example.com"]);
  expect(wasEncrypted).toBe(true);
  expect(mail.from).toMatchObject({ name: "Posthorn", address: "posthorn@example.com" });
  expect(mail.subject).toMatch(/^\[Posthorn\] default: Shop <b> @channel answers with failures$/);
  expect(mail.headers.find(({ key }) => key === "auto-submitted")?.value).toBe("auto-generated");
  expect(mail.text).toContain("1 thing needs somebody.");
  expect(mail.text).toContain("The receiver answered 500.");
  expect(mail.text).toMatch(/Given up: INV-\d+ \(invoice\.paid\)/);
  expect(mail.text).toContain(`posthorn diagnose ${webhookId}`);
  expect(mail.text).toContain(`posthorn retry --dead-letters-of ${webhookId}`);
  expect(mail.text).toContain("Times are of Asia/Kuala_Lumpur.");
  expect(mail.html).toContain("Shop &lt;b&gt; @channel");
  expect(mail.html).not.toContain("<b>");
  const [request] = await chat.received(1);
  expect(request?.path).toBe("/services/T0/very-secret-path");
  const { text } = JSON.parse(request?.body.toString() ?? "") as { text: string };
  expect(text).toContain("Shop &lt;b&gt; @\u200bchannel answers with failures");
  expect(text).toContain(`posthorn diagnose ${webhookId}`);
  for (const shown of [raw, mail.text, mail.html, text]) expect(shown).not.toContain("very-secret");
  // Kept for a person to look at: POSTHORN_TEST_SHOW=1.
  if (process.env["POSTHORN_TEST_SHOW"] !== undefined)
    console.log(`${mail.subject}\n\n${mail.text}\n\n${mail.html}\n\n${text}`);
}, 60_000);

test("what comes next is collected for an hour, and then the end of the trouble is told", async () => {
  isShopDown = false;
  await api("POST", "/v1/dead-letters/retry", { webhookId });
  await waits("webhook.health_changed");
  await waits("delivery.recovered");
  await settle();
  // The rule itself, asked as the node would: nothing is due.
  const sent: DigestMail[] = [];
  expect(await tellPeople(telling(sent))).toBe(0);
  expect(sent).toEqual([]);
  await node.sql("update digest_channel set sent_at = sent_at - interval '61 minutes' where channel = 'email'");
  const [, { mail } = expect.fail("no mail")] = await mailsCome(2);
  expect(mail.subject).toMatch(/Shop <b> @channel works again$/);
  expect(mail.text).toContain("Everything is as it should be.");
  expect(mail.text).toMatch(/Arrived after all: INV-\d+/);
  expect(await digest()).toMatchObject({ email: { problem: null, failingSince: null } });
}, 60_000);

/** Another node, as far as telling goes; a database's superuser stands for the engine. */
function telling(sent: DigestMail[], result: { problem: string } | null = null, aheadMs = 0) {
  const engine = {
    query: async ({ text, values }: { text: string; values?: unknown[] }) => {
      const rows = await node.sql(text, values);
      return { rows, rowCount: rows.length };
    },
  } as unknown as Executor;
  return {
    engine,
    clock: { nowMs: () => Date.now() + aheadMs, monotonicMs: () => performance.now() },
    log: { warn() {}, info() {}, error() {}, debug() {}, isLevelEnabled: () => false } as never,
    sendMail: async (mail: DigestMail) => {
      sent.push(mail);
      return result === null ? ({ kind: "told", problem: null } as const) : ({ kind: "failed", ...result } as const);
    },
    sendChat: async () => ({ kind: "told", problem: null }) as const,
    openChatUrl: async () => "https://chat.example.com/x",
  };
}

const note = (type: string, object: unknown) =>
  node.sql(
    `insert into digest_entry (tenant_id, id, at, noted_at, email_due, chat_due, type, object)
     select id, gen_random_uuid(), now(), now() - interval '1 second', true, false, $1, $2 from tenant`,
    [type, object],
  );

test("of eight nodes at once one tells; one that died before it wrote that down is followed after its claim, with the same name of the mail", async () => {
  await node.sql("delete from digest_entry");
  await node.sql("update digest_channel set sent_at = null, next_attempt_at = null");
  await note("module.silent", { name: "invoice", reason: "No event since 09:00." });
  const sent: DigestMail[] = [];
  const ahead = 120_000;
  // The narrow moment by hand: both saw that it is due, and the second waits for the row that the first has claimed.
  const { connection, withRoles } = node.options;
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  const [first, second] = await Promise.all([pools.engine.connect(), pools.engine.connect()]);
  const times = { nowMs: Date.now() + ahead, settledMs: Date.now() + ahead, intervalMs: 1_000, claimMs: 1_000 };
  await first.query("begin");
  expect(await claimDueChannels(first, times, 20)).toHaveLength(1);
  const late = claimDueChannels(second, times, 20);
  await until(
    "the second waits",
    async () =>
      (await node.sql("select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"))
        .length > 0,
  );
  await first.query("commit");
  expect(await late).toEqual([]);
  await node.sql("update digest_channel set next_attempt_at = null");
  for (const client of [first, second]) client.release();
  await pools.end();

  await Promise.all(Array.from({ length: 8 }, () => tellPeople(telling(sent, null, ahead))));
  expect(sent).toHaveLength(1);
  expect(sent[0]?.subject).toBe("[Posthorn] default: invoice is silent");

  await node.sql("update digest_channel set sent_at = null");
  await note("module.silent", { name: "payment" });
  const crashing = telling(sent, null, ahead);
  const dying = {
    ...crashing,
    sendMail: async (mail: DigestMail) => {
      sent.push(mail);
      throw new Error("the node is gone");
    },
  };
  await expect(tellPeople(dying)).rejects.toThrow("the node is gone");
  expect(await tellPeople(telling(sent, null, ahead))).toBe(0); // its claim holds
  expect(await tellPeople(telling(sent, null, ahead + 200_000))).toBe(1);
  expect(sent).toHaveLength(3);
  expect(sent[2]?.messageKey).toBe(sent[1]?.messageKey);
  expect(sent[2]?.messageKey).not.toBe(sent[0]?.messageKey);
});

test("a mail server that is down is tried again, later each time, and shown; then one digest holds everything; after 3 days it is given up", async () => {
  await node.sql("delete from digest_entry");
  await node.sql("update digest_channel set sent_at = null, next_attempt_at = null");
  const { port } = mailServer;
  await mailServer.close();
  await note("module.silent", { name: "invoice" });
  await settle();
  const shown = await until(
    "the trouble with mail",
    async () => {
      const { email } = await digest();
      return email.failingSince === null ? null : email;
    },
    40_000,
  );
  expect(shown.problem).toBe(
    `Nothing listens at 127.0.0.1:${port}. Is the mail server up, and the port of POSTHORN_SMTP_URL right?`,
  );
  expect(JSON.stringify(shown)).not.toContain("hidden");
  const delays: number[] = [];
  const failing = { problem: "down" };
  for (let turn = 1; turn <= 6; turn += 1) {
    await node.sql("update digest_channel set next_attempt_at = null where channel = 'email'");
    await tellPeople(telling([], failing));
    const [row] = await node.sql<{ s: number }>(
      "select round(extract(epoch from next_attempt_at - now()))::int as s from digest_channel where channel = 'email'",
    );
    delays.push(row?.s ?? 0);
  }
  // The first try was the node's own: a minute. Then 2, 5, 10, 30 minutes, an hour, and hourly.
  expect(delays.map((s) => Math.round(s / 60))).toEqual([2, 5, 10, 30, 60, 60]);
  await note("module.silent", { name: "payment" });
  mailServer = await startMailServer({ ...LOGIN, tls, port });
  await node.sql("update digest_channel set next_attempt_at = null where channel = 'email'");
  const [{ mail } = expect.fail("no mail")] = await mailsCome(1);
  expect(mail.subject).toBe("[Posthorn] default: invoice is silent, and 1 more");
  expect((await digest()).email).toMatchObject({ failingSince: null, problem: null });

  await note("module.silent", { name: "stock" });
  await tellPeople(telling([], failing, 3 * 86_400_000 + 5_000));
  expect((await digest()).waitingEvents).toBe(0);
}, 90_000);

test("who is told can be chosen: several, nobody, another way; URLs inside of our network are refused; a test says what came of it", async () => {
  expect(await api("PATCH", "/v1/digest", { emails: ["a@example.com", "b@example.com"] })).toMatchObject({
    emailsInForce: ["a@example.com", "b@example.com"],
  });
  const tested = await api("POST", "/v1/digest/test");
  expect(tested).toEqual({ email: { told: true, problem: null }, chat: { told: true, problem: null } });
  expect(mailServer.mails.at(-1)?.to).toEqual(["a@example.com", "b@example.com"]);
  expect((await node.api("POST", "/v1/digest/test")).status).toBe(429);
  const inside = await node.api("PATCH", "/v1/digest", { chatUrl: "https://10.0.0.8/hook" });
  expect(inside.body.error).toMatchObject({
    code: "TARGET_REFUSED",
    details: [{ field: "chatUrl", code: "TARGET_REFUSED" }],
  });
  for (const bad of ['"a b"@example.com', "a@example.com, b@example.com", "A <a@example.com>", "a@b@example.com"]) {
    expect((await node.api("PATCH", "/v1/digest", { emails: [bad] })).status, bad).toBe(422);
  }
  const { chatUrl } = await digest();
  expect(chatUrl).toBe(`https://127.0.0.1:${chat.port}/********`);
  // What was shown can be sent back; what was another's cannot.
  expect((await api("PATCH", "/v1/digest", { chatUrl, chatForm: "card" })).chatForm).toBe("card");
  expect((await node.api("PATCH", "/v1/digest", { chatUrl: "https://other.example.com/********" })).status).toBe(422);
  expect(await api("PATCH", "/v1/digest", { emails: [], chatUrl: null })).toMatchObject({
    emailsInForce: [],
    chatUrl: null,
    chatForm: null,
  });
  const trail = await api("GET", "/v1/audit?objectType=digest");
  expect(trail.length).toBeGreaterThanOrEqual(4);
  expect(JSON.stringify(trail)).not.toContain("very-secret");
});

test("a password goes over an encrypted line only, to a server whose certificate holds; without one any relay will do", async () => {
  const mail = { to: ["a@example.com"], subject: "s", text: "t", html: "<p>t</p>", messageKey: "k" };
  const send = (port: number, more: object = {}, cas: string[] = []) =>
    createMailer({ host: "127.0.0.1", port, isTlsAtOnce: false, ...LOGIN, from: FROM, ...more }, cas).send(mail);
  const open = await startMailServer(LOGIN);
  const strange = await startMailServer({ ...LOGIN, tls });
  const relay = await startMailServer({ tls, refused: ["b@example.com"] });
  const implicit = await startMailServer({ ...LOGIN, tls, isTlsAtOnce: true });
  try {
    expect(await send(open.port)).toMatchObject({ kind: "failed", message: expect.stringContaining("encryption") });
    expect(await send(strange.port)).toMatchObject({ kind: "failed" });
    expect([...open.passwords, ...strange.passwords]).toEqual([]);
    expect(await send(strange.port, { password: "wrong" }, [authority.certificate])).toMatchObject({
      kind: "failed",
      message: expect.stringMatching(/refused the user and password of POSTHORN_SMTP_URL\. It answered 535\./),
    });
    expect(await send(relay.port, { user: null, password: null })).toEqual({ kind: "sent", refused: [] });
    expect(await send(implicit.port, { isTlsAtOnce: true }, [authority.certificate])).toEqual({
      kind: "sent",
      refused: [],
    });
    const some = { ...mail, to: ["a@example.com", "b@example.com"] };
    const noLogin = { host: "127.0.0.1", port: relay.port, isTlsAtOnce: false, user: null, password: null, from: FROM };
    expect(await createMailer(noLogin).send(some)).toEqual({ kind: "sent", refused: ["b@example.com"] });
  } finally {
    for (const server of [open, strange, relay, implicit]) await server.close();
  }
}, 30_000);
