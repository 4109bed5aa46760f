// What rules say of an answer. Pure; the same against a real receiver: response-rules.test.ts.
import { describe, expect, test } from "vitest";
import { judge, type ResponseRules } from "../../src/deliver/judge.ts";
import type { Responded } from "../../src/security/outbound/result.ts";

const answer = (status: number, body: string | Buffer = "", changes: Partial<Responded> = {}): Responded => ({
  kind: "responded",
  status,
  headers: ["Content-Type", "application/json", "X-Wait", "90"],
  headersTruncated: false,
  body: Buffer.from(body),
  bodyReadBytes: body.length,
  bodyTruncated: false,
  certificateExpiresAtMs: null,
  address: null,
  reusedConnection: false,
  requestStarted: true,
  timings: { dnsMs: null, connectMs: null, tlsMs: null, firstByteMs: null, totalMs: 1 },
  ...changes,
});
const rules = (changes: Partial<ResponseRules>): ResponseRules => ({ successWhen: null, onResponse: [], ...changes });

describe("successWhen", () => {
  const byMember = rules({ successWhen: "response.status == 200 && response.body.success == true" });
  test.each([
    [200, '{"success":true}', "delivered", "successWhen"],
    [200, '{"success":false}', "rejected_by_rule", "successWhen"],
    [200, "no JSON", "rejected_by_rule", "successWhen"],
    [200, "", "rejected_by_rule", "successWhen"],
    [500, '{"success":false}', "rejected", null],
    [503, "", "throttled", null],
    [410, "", "gone", null],
  ])("%i %j is %s", (status, body, outcome, code) => {
    expect(judge(byMember, answer(status, body))).toMatchObject({ outcome, code });
  });

  test("can make a success of any status, 410 included", () => {
    const duplicates = rules({ successWhen: "response.status < 300 || response.status in [409, 410]" });
    expect(judge(duplicates, answer(409)).action).toBe("delivered");
    expect(judge(duplicates, answer(410)).outcome).toBe("delivered");
    expect(judge(duplicates, answer(400)).outcome).toBe("rejected");
  });
});

describe("onResponse", () => {
  const webhook = rules({
    successWhen: "response.status == 200",
    onResponse: [
      {
        when: "response.status < 500",
        extract: { externalId: "response.body.id", count: "response.body.n", none: "response.body.x" },
      },
      { when: 'response.body.code == "BUSY"', then: "retry", after: 'response.headers["x-wait"]' },
      { when: "response.status == 409", then: "delivered" },
      { when: "response.status == 422", then: "dead_letter" },
      { when: "response.status == 402", then: "pause" },
      { when: "response.status == 403", then: "disable" },
    ],
  });
  test.each([
    [200, '{"code":"BUSY"}', "rejected_by_rule", "onResponse[1]", "retry", 90_000],
    [409, "", "delivered", "onResponse[2]", "delivered", null],
    [422, "", "rejected_by_rule", "onResponse[3]", "dead_letter", null],
    [402, "", "rejected_by_rule", "onResponse[4]", "pause", null],
    [403, "", "rejected_by_rule", "onResponse[5]", "disable", null],
    [200, "{}", "delivered", "successWhen", "delivered", null],
    [500, "", "rejected", null, null, null],
  ])("%i %j: %s by %s", (status, body, outcome, code, action, afterMs) => {
    expect(judge(webhook, answer(status, body))).toMatchObject({ outcome, code, action, afterMs });
  });

  test("keeps what it extracts as text, digits included, and leaves out what is not there", () => {
    const { extracted } = judge(webhook, answer(200, '{"id":"8f3\\u0000","n":12345678901234567890}'));
    expect(extracted).toEqual({ externalId: "8f3\ufffd", count: "12345678901234567890" });
  });

  test("a rule that is stopped does not match and says so; those behind it are asked", () => {
    const heavy = rules({
      onResponse: [
        { when: "response.body.l.all(a, response.body.l.all(b, a == b || a != b))", then: "dead_letter" },
        { when: "response.status == 200", then: "delivered" },
      ],
    });
    const list = JSON.stringify({ l: Array.from({ length: 2_000 }, (_, i) => i) });
    const judged = judge(heavy, answer(200, list));
    expect(judged).toMatchObject({ outcome: "delivered", code: "onResponse[1]" });
    expect(judged.warnings).toMatchObject([{ rule: "onResponse[0].when", code: "BUDGET_EXCEEDED" }]);
  });

  test("a body that was cut off cannot be read, which is said; the status still can", () => {
    const judged = judge(webhook, answer(409, '{"id":"8f3', { bodyTruncated: true }));
    expect(judged).toMatchObject({ outcome: "delivered", extracted: null });
    expect(judged.warnings?.map((warning) => warning.code)).toContain("BODY_CUT_OFF");
  });

  test("an `after` that is no length of time leaves the policy's pause, and says so", () => {
    const odd = rules({ onResponse: [{ when: "true", then: "retry", after: "response.body" }] });
    const judged = judge(odd, answer(500, "soon"));
    expect(judged).toMatchObject({ action: "retry", afterMs: null });
    expect(judged.warnings).toMatchObject([{ rule: "onResponse[0].after" }]);
  });

  test("a body nested to the limit of the bytes, and a header called __proto__, do no harm", () => {
    const deep = answer(200, "[".repeat(60_000), { headers: ["__proto__", "x", "x-wait", "1"] });
    expect(judge(webhook, deep)).toMatchObject({ outcome: "delivered" });
  });
});
