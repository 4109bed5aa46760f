// Digests in words, purely: whatever happened, each webhook is told of once and under the worst, nothing that others chose
// becomes markup, a mention or a line of its own, and nothing is left out that was not counted.
import fc from "fast-check";
import { expect, test } from "vitest";
import { clockworkOf } from "../../../src/maintain/digest/phrases.ts";
import { type DigestEntry, summarise } from "../../../src/maintain/digest/summary.ts";
import { chatBody, mailWords } from "../../../src/maintain/digest/words.ts";

const clock = clockworkOf("Asia/Kuala_Lumpur");
const AT = Date.UTC(2026, 10, 30, 9, 2);
const HOUR = 3_600_000;
const ID = "webhook_01M8QZ4EG0ER081DQ207MF21RM";
const FRAME = { tenantName: "Acme", timeZone: "Asia/Kuala_Lumpur", eventCount: 1, leftOutCount: 0, otherProblem: null };
const event = (type: string, object: object, atMs = AT, webhookId: string | null = ID): DigestEntry => ({
  atMs,
  webhookId,
  type,
  object: { name: "Shop", host: "shop.example.com", webhookName: "Shop", ...object },
});
const health = (status: string, atMs = AT, more = {}) =>
  event("webhook.health_changed", { health: status, ...more }, atMs);
const dead = (count: number, atMs = AT) =>
  event(
    "delivery.dead_lettered",
    { count, deliveries: [{ id: "dlv_1", eventId: "evt_1", event: "invoice.paid", reference: "INV-1" }] },
    atMs,
  );

test("trouble: since when on the reader's clock, why, and the command", () => {
  const { subject, toDo, toKnow } = summarise(
    [health("failing"), health("unreachable", AT + 60_000, { reason: "Nothing listens at the port." })],
    "Acme",
    clock,
  );
  expect(subject).toBe("[Posthorn] Acme: Shop cannot be reached");
  expect(toKnow).toEqual([]);
  expect(toDo).toEqual([
    {
      title: "Shop cannot be reached",
      weight: 5,
      facts: [
        `Since 30 Nov 17:02. Nothing listens at the port. (${ID}, shop.example.com)`,
        "What is sent to it waits, and goes out when it works again.",
      ],
      steps: [`posthorn diagnose ${ID}`],
    },
  ]);
});

test("trouble that ended before anybody was told is nothing to do; what it gave up still is, until it arrived", () => {
  const over = [health("failing"), dead(3), health("healthy", AT + 18 * 60_000)];
  const left = summarise(over, "Acme", clock);
  expect(left.toDo.map(({ title }) => title)).toEqual(["Shop: 3 deliveries given up"]);
  expect(left.toDo[0]?.facts[0]).toContain("Since 30 Nov 17:20, after 18 minutes.");
  expect(left.toDo[0]?.steps).toEqual([`posthorn diagnose ${ID}`, `posthorn retry --dead-letters-of ${ID}`]);
  const arrived = summarise([...over, event("delivery.recovered", { count: 3 }, AT + HOUR)], "Acme", clock);
  expect(arrived.toDo).toEqual([]);
  expect(arrived.toKnow.map(({ title }) => title)).toEqual(["Shop works again"]);
  expect(arrived.subject).toBe("[Posthorn] Acme: Shop works again");
});

test("a webhook that was switched off says by whom, and how it comes back with what it missed", () => {
  const bySelf = summarise(
    [health("failing"), event("webhook.disabled", { disabledReason: "health" }, AT + HOUR)],
    "A",
    clock,
  );
  expect(bySelf.toDo[0]?.title).toBe("Shop is switched off");
  expect(bySelf.toDo[0]?.facts[0]).toContain("failed for 120 hours. That was at 30 Nov 18:02.");
  expect(bySelf.toDo[0]?.steps.at(-1)).toBe(
    `posthorn replay --webhook ${ID} --which missed --from 2026-11-30T09:02:00.000Z`,
  );
  const byHand = summarise([event("webhook.disabled", { disabledReason: "owner" })], "A", clock);
  expect([byHand.toDo, byHand.toKnow[0]?.facts[0]]).toEqual([[], expect.stringContaining("A person switched it off.")]);
});

test("warnings name their day, and what is about no webhook is told by its own words", () => {
  const { toDo, toKnow, subject } = summarise(
    [
      event("webhook.certificate_expiring", { certificateExpiresAt: "2026-12-14T00:00:00Z" }),
      event("module.silent", { name: "invoice", reason: "No event since 09:00." }, AT, null),
      event("module.resumed", { name: "stock" }, AT, null),
      event(
        "key.parked",
        { count: 2, deliveries: [{ id: "dlv_1", event: "invoice.paid", orderingKey: "CUST-9" }] },
        AT,
        "webhook_2",
      ),
    ],
    "Acme",
    clock,
  );
  expect(toDo.map(({ title }) => title)).toEqual([
    "Shop: 2 keys are parked",
    "invoice is silent",
    "Shop: the receiver's certificate runs out",
  ]);
  expect(toDo[2]?.facts[0]).toContain("ends at 14 Dec 08:00");
  expect(toDo[0]?.facts).toEqual(["What comes after them waits: CUST-9 and 1 more. (webhook_2, shop.example.com)"]);
  expect(toDo[0]?.steps).toEqual(["posthorn parked-keys list --webhook webhook_2"]);
  expect(toKnow.map(({ title }) => title)).toEqual(["stock sends events again"]);
  expect(subject).toBe("[Posthorn] Acme: Shop: 2 keys are parked, and 2 more");
});

const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.constantFrom(
    "<!channel>",
    "@channel",
    "<script>x</script>",
    "a\r\nBcc: x@example.com",
    "[x](http://evil)",
    "\u202Eevil",
  ),
);
const anyEntry = fc
  .record({
    type: fc.constantFrom(
      "webhook.health_changed",
      "webhook.disabled",
      "webhook.disable_announced",
      "webhook.certificate_expiring",
      "delivery.dead_lettered",
      "delivery.recovered",
      "delivery.expiring",
      "key.parked",
      "module.silent",
      "later.invented",
    ),
    webhook: fc.option(fc.integer({ min: 1, max: 3 })),
    text: anyText,
    health: fc.constantFrom("healthy", "failing", "unreachable"),
    count: fc.integer({ min: 1, max: 40 }),
    minute: fc.integer({ min: 0, max: 600 }),
  })
  .map(
    ({ type, webhook, text, health: status, count, minute }): DigestEntry => ({
      atMs: AT + minute * 60_000,
      webhookId: webhook === null ? null : `webhook_${webhook}`,
      type,
      object: {
        name: text,
        webhookName: text,
        host: "h.example.com",
        health: status,
        reason: text,
        count,
        deliveries: [{ id: "dlv_1", eventId: "evt_1", event: "invoice.paid", reference: text }],
      },
    }),
  );

test("whatever comes: one matter for each webhook, one line for each sentence, no markup, no mention", () => {
  fc.assert(
    fc.property(fc.array(anyEntry, { minLength: 1, maxLength: 30 }), anyText, (entries, tenantName) => {
      const summary = summarise(entries, tenantName, clock);
      const webhooks = new Set(entries.flatMap(({ webhookId }) => webhookId ?? []));
      const all = [...summary.toDo, ...summary.toKnow];
      for (const id of webhooks) {
        expect(all.filter(({ facts, title }) => `${title} ${facts.join(" ")}`.includes(id)).length).toBeGreaterThan(0);
      }
      const ofNone = new Set(
        entries
          .filter(({ webhookId }) => webhookId === null)
          .map(({ type, object }) => `${type.split(".")[0]} ${String(object["name"])}`),
      );
      expect(all).toHaveLength(webhooks.size + ofNone.size);
      const { subject, text, html } = mailWords(summary, { ...FRAME, tenantName });
      const shown = [subject, ...all.flatMap(({ facts, steps, title }) => [title, ...facts, ...steps])];
      for (const line of shown) expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202e]/u);
      expect(text).not.toContain("undefined");
      expect(html).not.toContain("<script");
      expect(chatBody(summary, FRAME, "text").toString()).not.toMatch(/<|@[a-z]/i);
      expect(JSON.parse(chatBody(summary, FRAME, "card").toString()).attachments).toHaveLength(1);
    }),
  );
});
