// The route of apply: what it takes, who may, and how the fields of many webhooks are named when something is wrong.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Face, openFace } from "./support.ts";

let face: Face;
let key: string;
let tenant: string;

beforeAll(async () => {
  face = await openFace();
  tenant = await face.addTenant("one");
  key = await face.addKey(tenant);
});
afterAll(() => face?.close());

const ONE = { name: "One", url: "https://example.com/one", events: ["invoice.paid"] };
const apply = (body: unknown, query = "?dryRun=true", using = key) =>
  face.call(using, "POST", `/webhooks/apply${query}`, body);
// biome-ignore lint/suspicious/noExplicitAny: answers are asserted on
const detailsOf = (answer: any) =>
  answer.body.error.details.map(({ field, code }: { field: string; code: string }) => `${field} ${code}`);

describe("POST /webhooks/apply", () => {
  test("answers with the plan and whether it was done", async () => {
    const dry = await apply({ webhooks: [ONE] });
    expect(dry.status).toBe(200);
    expect(dry.body.data).toEqual({
      applied: false,
      plan: [
        {
          name: "One",
          action: "create",
          changes: {
            name: { from: null, to: "One" },
            url: { from: null, to: ONE.url },
            events: { from: null, to: ONE.events },
          },
          warnings: [],
        },
      ],
    });
    const done = await apply({ webhooks: [ONE] }, "");
    expect(done.body.data.applied).toBe(true);
    expect((await apply({ webhooks: [ONE] }, "?dryRun=false")).body.data.plan[0].action).toBe("unchanged");
  });

  test("needs the scope that changes webhooks need, for a dry run too", async () => {
    const reader = await face.addKey(tenant, { scopes: ["read:webhooks"] });
    const answer = await apply({ webhooks: [ONE] }, "?dryRun=true", reader);
    expect(answer.status).toBe(403);
    expect(answer.body.error.code).toBe("FORBIDDEN");
  });

  test("an empty list is nothing to do", async () => {
    expect((await apply({ webhooks: [] }, "")).body.data).toEqual({ plan: [], applied: true });
  });

  test("names every field of every webhook that has the wrong shape", async () => {
    const answer = await apply({
      webhooks: [
        ONE,
        { url: "https://example.com", events: [] },
        { ...ONE, name: null, timeout: "5" },
        { ...ONE, retryPolicy: { maxRetry: 3 } },
        "One",
      ],
    });
    expect(answer.status).toBe(422);
    expect(detailsOf(answer)).toEqual([
      "webhooks[1].events INVALID_VALUE",
      "webhooks[1].name MISSING_MEMBER",
      "webhooks[2].name WRONG_TYPE",
      "webhooks[2].timeout WRONG_TYPE",
      "webhooks[3].retryPolicy.maxRetry UNKNOWN_FIELD",
      "webhooks[4] WRONG_TYPE",
    ]);
  });

  test("knows in every element what is misspelt, to come, or set by us", async () => {
    const answer = await apply({
      webhooks: [ONE, { ...ONE, filter: [], pinVersion: 1, version: 3, filters: { "order.total": { mn: 1 } } }],
    });
    expect(detailsOf(answer).sort()).toEqual([
      "webhooks[1].filter UNKNOWN_FIELD",
      "webhooks[1].filters.order.total.mn UNKNOWN_FIELD",
      "webhooks[1].pinVersion FIELD_NOT_AVAILABLE_YET",
      "webhooks[1].version READ_ONLY_FIELD",
    ]);
    const unknown = answer.body.error.details.find((detail: { field: string }) => detail.field.endsWith("filter"));
    expect(unknown.message).toContain("filters");
    const jwt = await apply({ webhooks: [{ ...ONE, auth: { type: "jwt" } }] });
    expect(detailsOf(jwt)).toEqual(["webhooks[0].auth.type FIELD_NOT_AVAILABLE_YET"]);
  });

  test("takes these fields in the list only, and no others beside it", async () => {
    expect(detailsOf(await apply({ webhooks: [ONE], orderingKey: "x" }))).toEqual(["orderingKey UNKNOWN_FIELD"]);
    expect(detailsOf(await apply({ webhook: [ONE] }))).toEqual(["webhooks MISSING_MEMBER", "webhook UNKNOWN_FIELD"]);
    expect((await apply({ webhooks: [ONE] }, "?dryRun=perhaps")).status).toBe(422);
    expect((await apply({ webhooks: [ONE] }, "?dryrun=true")).status).toBe(422);
  });

  test("takes a thousand webhooks at once and refuses one more", async () => {
    const many = Array.from({ length: 1_001 }, (_, index) => ({ ...ONE, name: `Webhook ${index}` }));
    const refused = await apply({ webhooks: many });
    expect(refused.status).toBe(422);
    expect(refused.body.error.details[0].message).toContain("1000");
    const answer = await apply({ webhooks: many.slice(1) }, "");
    expect(answer.body.data.plan).toHaveLength(1_000);
    expect((await apply({ webhooks: many.slice(1) }, "")).body.data.plan[999].action).toBe("unchanged");
  });

  test("tells the first hundred problems of thousands", async () => {
    const events = Array.from({ length: 40 }, (_, index) => `invoyce.pied${index}`);
    const many = Array.from({ length: 200 }, (_, index) => ({ ...ONE, name: `Wrong ${index}`, events }));
    const answer = await apply({ webhooks: many });
    expect(answer.status).toBe(422);
    expect(answer.body.error.details).toHaveLength(100);
    const masked = many.map((each) => ({
      ...each,
      events: ["invoice.paid"],
      auth: { type: "bearer", token: "********" },
    }));
    expect((await apply({ webhooks: masked })).body.error.details).toHaveLength(100);
  });

  test("lets the node have its turn between webhooks", async () => {
    const many = Array.from({ length: 300 }, (_, index) => ({ ...ONE, name: `Turn ${index}`, filters: ["a.b > 1"] }));
    let turns = 0;
    let isDone = false;
    const count = (): void => {
      turns += 1;
      if (!isDone) setImmediate(count);
    };
    setImmediate(count);
    await apply({ webhooks: many });
    isDone = true;
    expect(turns).toBeGreaterThan(2 * many.length);
  });
});
