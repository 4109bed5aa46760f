// The fields `rateLimit` and `metadata`: what is taken, what is refused, how they are shown and change.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let key: string;
beforeAll(async () => {
  face = await openFace();
  key = await face.addKey(await face.addTenant("fields"));
});
afterAll(() => face?.close());

const create = (fields: object) =>
  face.call(key, "POST", "/webhooks", { url: "https://example.com/in", events: ["invoice.paid"], ...fields });

describe("rateLimit", () => {
  test("is kept with its burst, changes the version, and null takes it away", async () => {
    const made = await create({ rateLimit: { limit: 100, per: "minute" } });
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    expect(made.body.data.rateLimit).toEqual({ limit: 100, per: "minute", burst: 0 });
    const path = `/webhooks/${made.body.data.id}`;
    const same = await face.call(key, "PUT", path, { rateLimit: { limit: 100, per: "minute", burst: 0 } });
    expect(same.body.data.version).toBe(1);
    const changed = await face.call(key, "PATCH", path, { rateLimit: { limit: 5, per: "second", burst: 2 } });
    expect(changed.body.data).toMatchObject({ version: 2, rateLimit: { limit: 5, per: "second", burst: 2 } });
    expect((await face.call(key, "PATCH", path, { rateLimit: null })).body.data.rateLimit).toBeNull();
    expect((await create({})).body.data.rateLimit).toBeNull();
  });

  test.each([
    [{ limit: 0, per: "second" }],
    [{ limit: 1.5, per: "second" }],
    [{ limit: 10, per: "day" }],
    [{ limit: 10 }],
    [{ limit: 10, per: "hour", burst: -1 }],
    [{ limit: 10, per: "hour", brst: 1 }],
    ["100/minute"],
  ])("refuses %j", async (rateLimit) => {
    const refused = await create({ rateLimit });
    expect(refused.status).toBe(422);
    expect(refused.body.error.details[0].field).toMatch(/^rateLimit/);
  });
});

describe("metadata", () => {
  test("is kept, shown in the order given, and replaced as a whole", async () => {
    const metadata = { team: "integrations", ticket: "INT-7", "": undefined, note: "two\nlines, ü" };
    const made = await create({ metadata });
    expect(made.body.data.metadata).toEqual({ team: "integrations", ticket: "INT-7", note: "two\nlines, ü" });
    const path = `/webhooks/${made.body.data.id}`;
    const changed = await face.call(key, "PATCH", path, { metadata: { team: "finance" } });
    expect(changed.body.data).toMatchObject({ version: 2, metadata: { team: "finance" } });
    expect(Object.keys(changed.body.data.metadata)).toEqual(["team"]);
    expect((await face.call(key, "PATCH", path, { metadata: null })).body.data.metadata).toEqual({});
  });

  test("takes 50 members of 40 and 500 characters and no more", async () => {
    const members = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`m${n}`, "v"]));
    expect((await create({ metadata: members(50) })).status).toBe(201);
    expect((await create({ metadata: members(51) })).status).toBe(422);
    expect((await create({ metadata: { ["k".repeat(40)]: "v".repeat(500) } })).status).toBe(201);
    for (const metadata of [
      { ["k".repeat(41)]: "v" },
      { k: "v".repeat(501) },
      { k: 1 },
      { k: { nested: "v" } },
      { "": "v" },
      { "a\nb": "v" },
      ["v"],
    ]) {
      expect((await create({ metadata })).status, JSON.stringify(metadata)).toBe(422);
    }
    const odd = await create({ metadata: '{"__proto__":"x"}' });
    expect(odd.status).toBe(422);
  });
});
