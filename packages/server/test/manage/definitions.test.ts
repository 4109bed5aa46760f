// Rules and code tables through their routes: versions, who uses them, and that nothing in use goes away.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { MAX_ENTRIES } from "../../src/manage/definition-fields.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face.close());

let count = 0;
async function newTenant(): Promise<{ tenant: string; admin: string }> {
  count += 1;
  const tenant = await face.addTenant(`definitions ${count}`);
  return { tenant, admin: await face.addKey(tenant) };
}
const LARGE = { name: "large_order", expression: "order.total > 10000", owner: "Sales Operations" };
const TAX = { name: "tax", entries: { "SST-6": "GST06", "SST-8": "GST08" }, owner: "Finance" };
const webhook = (fields: object) => ({ url: "https://example.com/", events: ["invoice.paid"], ...fields });
const detailOf = (answer: { body: any }) => answer.body.error.details[0];

describe("a rule", () => {
  test("is made, read, changed and listed, with a version for each thing that it said", async () => {
    const { admin } = await newTenant();
    const made = await face.call(admin, "POST", "/rules", LARGE);
    expect([made.status, made.headers["location"]]).toEqual([201, "/v1/rules/large_order"]);
    expect(made.body.data).toMatchObject({
      ...LARGE,
      description: null,
      validFrom: null,
      validUntil: null,
      version: 1,
      usedBy: [],
      usedByCount: 0,
    });
    const dates = { validFrom: "2026-12-01T00:00:00+08:00", validUntil: "2027-01-01T00:00:00+08:00" };
    const changed = await face.call(admin, "PATCH", "/rules/large_order", {
      expression: "order.total > 25000",
      owner: null,
      ...dates,
    });
    expect(changed.body.data).toMatchObject({ expression: "order.total > 25000", owner: null, ...dates, version: 2 });
    const same = await face.call(admin, "PATCH", "/rules/large_order", { expression: "order.total > 25000" });
    expect([same.body.data.version, same.headers["etag"]]).toEqual([2, changed.headers["etag"]]);
    await face.call(admin, "POST", "/rules", { name: "asean", expression: 'customer.country in ["MY", "SG"]' });
    const { data } = (await face.call(admin, "GET", "/rules?limit=1")).body;
    expect(data.map((each: { name: string }) => each.name)).toEqual(["asean"]);
    const versions = (await face.call(admin, "GET", "/rules/large_order/versions")).body.data;
    expect(versions).toMatchObject([
      { version: 2, expression: "order.total > 25000", owner: null, toConfigVersion: null },
      { version: 1, expression: "order.total > 10000", toConfigVersion: versions[0].fromConfigVersion },
    ]);
    const trail = (await face.call(admin, "GET", "/audit?objectType=rule")).body.data;
    expect(trail.map((entry: { action: string; change: object }) => [entry.action, entry.change])).toEqual([
      ["rule.created", expect.objectContaining({ version: { from: null, to: 1 } })],
      [
        "rule.updated",
        {
          expression: { from: "order.total > 10000", to: "order.total > 25000" },
          owner: { from: "Sales Operations", to: null },
          validFrom: { from: undefined, to: dates.validFrom },
          validUntil: { from: undefined, to: dates.validUntil },
          version: { from: 1, to: 2 },
        },
      ],
      ["rule.created", expect.anything()],
    ]);
  });

  test("is changed only by who has read it, when they say what they read", async () => {
    const { admin } = await newTenant();
    const first = (await face.call(admin, "POST", "/rules", LARGE)).headers["etag"] as string;
    const headers = { "if-match": first };
    const changed = await face.call(admin, "PATCH", "/rules/large_order", { expression: "true" }, headers);
    expect(changed.status).toBe(200);
    for (const method of ["PATCH", "DELETE"] as const) {
      const body = method === "PATCH" ? { expression: "false" } : undefined;
      const refused = await face.call(admin, method, "/rules/large_order", body, headers);
      expect([refused.status, refused.headers["etag"]]).toEqual([412, changed.headers["etag"]]);
    }
  });

  test("that there is not is refused where it is used, with what was probably meant", async () => {
    const { admin } = await newTenant();
    await face.call(admin, "POST", "/rules", LARGE);
    const uses = [
      [{ filters: ["invoice.total > 1 && rule.lage_order"] }, "filters[0]"],
      [{ filters: { "rule.lage_order": true } }, "filters.rule.lage_order"],
      [{ conditions: [{ field: "rule.lage_order", operator: "eq", value: true }] }, "conditions[0]"],
      [{ orderingKey: "string(rule.lage_order)" }, "orderingKey"],
      [{ transform: { template: { a: ["{{ rule.lage_order }}"] } } }, "transform.template.a[0]"],
    ] as const;
    for (const [fields, field] of uses) {
      const refused = await face.call(admin, "POST", "/webhooks", webhook(fields));
      expect([refused.status, detailOf(refused).reason]).toEqual([422, "UNKNOWN_RULE"]);
      expect(detailOf(refused)).toMatchObject({ field, code: "INVALID_EXPRESSION" });
      expect(detailOf(refused).message).toBe("There is no rule “lage_order”. Did you mean “large_order”?");
    }
    const made = (await face.call(admin, "POST", "/webhooks", webhook({}))).body.data.id;
    const changed = await face.call(admin, "PATCH", `/webhooks/${made}`, { filters: ["rule.lage_order"] });
    expect(detailOf(changed).reason).toBe("UNKNOWN_RULE");
    const applied = await face.call(admin, "POST", "/webhooks/apply?dryRun=true", {
      webhooks: [webhook({ name: "a", filters: ["rule.lage_order"] })],
    });
    expect(detailOf(applied)).toMatchObject({ field: "webhooks[0].filters[0]", reason: "UNKNOWN_RULE" });
    const replay = { webhookId: made, from: "2026-11-01T00:00:00Z", filter: "rule.lage_order" };
    const replayed = await face.call(admin, "POST", "/replays", replay);
    expect(detailOf(replayed)).toMatchObject({ field: "filter", reason: "UNKNOWN_RULE" });
    const preview = await face.call(admin, "POST", "/preview", {
      webhook: webhook({ filters: ["rule.lage_order"] }),
      event: { event: "invoice.paid", data: { object: {} } },
    });
    expect(detailOf(preview)).toMatchObject({ field: "webhook.filters[0]", reason: "UNKNOWN_RULE" });
  });

  test("in use says by whom, and cannot be deleted until nothing uses it; its versions stay and go on counting", async () => {
    const { tenant, admin } = await newTenant();
    const sandbox = await face.addKey(tenant, { livemode: false });
    await face.call(admin, "POST", "/rules", LARGE);
    const fields = { filters: ["rule.large_order"], transform: { template: "{{ rule.large_order }}" } };
    const live = (await face.call(admin, "POST", "/webhooks", webhook(fields))).body.data.id;
    const inSandbox = (await face.call(sandbox, "POST", "/webhooks", webhook(fields))).body.data.id;
    const seen = (await face.call(admin, "GET", "/rules/large_order")).body.data;
    expect(seen.usedBy).toEqual([{ type: "webhook", id: live, fields: ["filters[0]", "transform.template"] }]);
    expect((await face.call(sandbox, "GET", "/rules")).body.data[0].usedBy).toMatchObject([{ id: inSandbox }]);
    const refused = await face.call(admin, "DELETE", "/rules/large_order");
    expect([refused.status, refused.body.error.code]).toEqual([409, "CONFLICT"]);
    expect(refused.body.error.message).toContain(`${live}, ${inSandbox} (sandbox)`);
    await face.call(admin, "DELETE", `/webhooks/${live}`);
    await face.call(sandbox, "PATCH", `/webhooks/${inSandbox}`, { filters: null, transform: null });
    expect((await face.call(admin, "DELETE", "/rules/large_order")).body.data).toEqual({
      name: "large_order",
      deleted: true,
    });
    expect((await face.call(admin, "GET", "/rules/large_order")).status).toBe(404);
    expect((await face.call(admin, "DELETE", "/rules/large_order")).status).toBe(404);
    expect((await face.call(admin, "POST", "/rules", LARGE)).body.data.version).toBe(2);
    const versions = (await face.call(admin, "GET", "/rules/large_order/versions")).body.data;
    expect(versions.map((each: { version: number }) => each.version)).toEqual([2, 1]);
  });

  test("is not made twice, nor of what is no expression, another rule, or dates that never come", async () => {
    const { admin } = await newTenant();
    await face.call(admin, "POST", "/rules", LARGE);
    expect((await face.call(admin, "POST", "/rules", LARGE)).body.error.code).toBe("ALREADY_EXISTS");
    const reasonOf = async (fields: object) =>
      detailOf(await face.call(admin, "POST", "/rules", { ...LARGE, name: "other", ...fields }));
    expect(await reasonOf({ expression: "order.total >" })).toMatchObject({ field: "expression" });
    expect(await reasonOf({ expression: "rule.large_order && true" })).toMatchObject({ reason: "RULE_IN_RULE" });
    expect(await reasonOf({ expression: "rule.other" })).toMatchObject({ reason: "RULE_IN_RULE" });
    expect(await reasonOf({ expression: 'lookup("tax", 1) == 2' })).toMatchObject({ reason: "UNKNOWN_CODE_TABLE" });
    const dates = { validFrom: "2026-12-01T00:00:00Z", validUntil: "2026-12-01T00:00:00Z" };
    expect(await reasonOf(dates)).toMatchObject({ field: "validUntil" });
    for (const name of ["Large", "in", "1a", "a-b", ""])
      expect(await reasonOf({ name })).toMatchObject({ field: "name" });
    expect((await face.call(admin, "PATCH", "/rules/large_order", { name: "x" })).body.error.code).toBe(
      "READ_ONLY_FIELD",
    );
    expect((await face.call(admin, "PATCH", "/rules/large_order", { expresion: "true" })).status).toBe(422);
  });
});

describe("a code table", () => {
  test("is made, changed as a whole, and used by webhooks and rules, which then keep it", async () => {
    const { admin } = await newTenant();
    const made = await face.call(admin, "POST", "/code-tables", TAX);
    expect([made.status, made.headers["location"]]).toEqual([201, "/v1/code-tables/tax"]);
    await face.call(admin, "POST", "/rules", { name: "gst", expression: 'lookup("tax", invoice.taxCode) == "GST06"' });
    const template = { code: '{{ lookup("tax", invoice.taxCode, "none") }}' };
    const user = (await face.call(admin, "POST", "/webhooks", webhook({ transform: { template } }))).body.data.id;
    const changed = await face.call(admin, "PATCH", "/code-tables/tax", { entries: { "SST-6": "GST6" } });
    expect(changed.body.data).toMatchObject({
      entries: { "SST-6": "GST6" },
      owner: "Finance",
      version: 2,
      usedBy: [
        { type: "webhook", id: user, fields: ["transform.template.code"] },
        { type: "rule", name: "gst" },
      ],
    });
    const refused = await face.call(admin, "DELETE", "/code-tables/tax");
    expect([refused.status, refused.body.error.message]).toEqual([409, expect.stringContaining(`${user}, rule.gst`)]);
    const versions = (await face.call(admin, "GET", "/code-tables/tax/versions")).body.data;
    expect(versions.map((each: { entries: object }) => each.entries)).toEqual([{ "SST-6": "GST6" }, TAX.entries]);
    const trail = (await face.call(admin, "GET", "/audit?objectType=code_table")).body.data;
    expect(trail[0]).toMatchObject({ action: "code_table.updated", change: { entryCount: { from: 2, to: 1 } } });
    expect(JSON.stringify(trail)).not.toContain("GST06");
  });

  test("that there is not is refused where it is used", async () => {
    const { admin } = await newTenant();
    await face.call(admin, "POST", "/code-tables", TAX);
    const refused = await face.call(admin, "POST", "/webhooks", webhook({ filters: ['lookup("taxes", 1) == 2'] }));
    expect(detailOf(refused)).toMatchObject({ reason: "UNKNOWN_CODE_TABLE", field: "filters[0]" });
    const answers = webhook({ successWhen: 'lookup("tax", response.status) == 1' });
    expect(detailOf(await face.call(admin, "POST", "/webhooks", answers))).toMatchObject({ field: "successWhen" });
  });

  test("has bounds, and no entry is lost or rounded without a word", async () => {
    const { admin } = await newTenant();
    const refusalOf = async (entries: unknown) => {
      const answer = await face.call(admin, "POST", "/code-tables", { name: "big", entries });
      return [answer.status, detailOf(answer)?.message ?? ""];
    };
    const many = Object.fromEntries(Array.from({ length: MAX_ENTRIES + 1 }, (_, n) => [`c${n}`, n]));
    expect(await refusalOf(many)).toEqual([422, expect.stringContaining("10001")]);
    expect(await refusalOf({ a: 12345678901234567890 })).toEqual([422, expect.stringContaining("digits")]);
    expect(await refusalOf(JSON.parse('{ "__proto__": "x" }'))).toEqual([422, expect.stringContaining("__proto__")]);
    expect((await refusalOf({ a: ["list"] }))[0]).toBe(422);
  });
});

test("only live keys change them, and a key without the scope does not", async () => {
  const { tenant } = await newTenant();
  const sandbox = await face.addKey(tenant, { livemode: false });
  const reader = await face.addKey(tenant, { scopes: ["read:webhooks"] });
  expect((await face.call(sandbox, "POST", "/rules", LARGE)).status).toBe(403);
  expect((await face.call(reader, "POST", "/rules", LARGE)).status).toBe(403);
  expect((await face.call(reader, "GET", "/rules")).status).toBe(200);
});
