// Companies through their routes: ids of the platform or of ours, bound keys, X-Company-Id, isolation.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
beforeAll(async () => {
  face = await openFace();
});
afterAll(() => face.close());

let count = 0;
async function newTenant(): Promise<{ tenant: string; admin: string }> {
  count += 1;
  const tenant = await face.addTenant(`tenant ${count}`);
  return { tenant, admin: await face.addKey(tenant) };
}
const create = (key: string, body: object) => face.call(key, "POST", "/companies", body);
const withCompany = async (key: string, id: string) =>
  face.call(key, "GET", "/webhooks", undefined, { "x-company-id": id });

describe("a company", () => {
  test("gets the id that the platform gave it, or one of ours, and can be named by X-Company-Id at once", async () => {
    const { admin } = await newTenant();
    const given = await create(admin, { id: "company_KL-01", name: "Kuala Lumpur" });
    expect([given.status, given.headers["location"]]).toEqual([201, "/v1/companies/company_KL-01"]);
    const createdAt = new Date(face.clock.nowMs()).toISOString();
    expect(given.body.data).toEqual({ id: "company_KL-01", name: "Kuala Lumpur", createdAt });
    const { data: made } = (await create(admin, { name: "Penang" })).body;
    expect(made.id).toMatch(/^company_[0-9A-HJKMNP-TV-Z]{26}$/);
    for (const id of ["company_KL-01", made.id]) expect((await withCompany(admin, id)).status).toBe(200);
    expect((await face.call(admin, "GET", `/companies/${made.id}`)).body.data).toEqual(made);
  });

  test("is listed by id, page by page", async () => {
    const { admin } = await newTenant();
    for (const id of ["company_c", "company_a", "company_b"]) await create(admin, { id, name: id });
    const seen: string[] = [];
    let cursor = "";
    for (;;) {
      const { body } = await face.call(admin, "GET", `/companies?limit=2${cursor}`);
      seen.push(...body.data.map((company: { id: string }) => company.id));
      if (!body.pagination.hasMore) break;
      cursor = `&cursor=${body.pagination.nextCursor}`;
    }
    expect(seen).toEqual(["company_a", "company_b", "company_c"]);
    expect((await face.call(admin, "GET", "/companies?cursor=Y29tcGFueTp4")).status).toBe(422);
  });

  test("can be renamed, and keeps its id", async () => {
    const { admin } = await newTenant();
    await create(admin, { id: "company_a", name: "A" });
    const renamed = await face.call(admin, "PATCH", "/companies/company_a", { name: "B" });
    expect(renamed.body.data).toMatchObject({ id: "company_a", name: "B" });
    const answer = await face.call(admin, "PATCH", "/companies/company_a", { id: "company_b" });
    expect([answer.status, answer.body.error.details[0].code]).toEqual([422, "READ_ONLY_FIELD"]);
  });

  test("exists once: a second one of the same id is refused and changes nothing", async () => {
    const { admin } = await newTenant();
    await create(admin, { id: "company_a", name: "A" });
    const again = await create(admin, { id: "company_a", name: "other" });
    expect([again.status, again.body.error.code]).toEqual([409, "ALREADY_EXISTS"]);
    expect((await face.call(admin, "GET", "/companies/company_a")).body.data.name).toBe("A");
  });

  test.each([[{ id: "acme", name: "x" }], [{ id: "company_", name: "x" }], [{ id: "company_a.b", name: "x" }], [{}]])(
    "%j is refused",
    async (body) => {
      const { admin } = await newTenant();
      expect((await create(admin, body)).status).toBe(422);
    },
  );

  test("to which a usable key is bound stays; without one it goes, and X-Company-Id may not name it any more", async () => {
    const { tenant, admin } = await newTenant();
    await create(admin, { id: "company_a", name: "A" });
    const bound = await face.addKey(tenant, { companyId: "company_a", scopes: ["read:webhooks"] });
    expect((await withCompany(admin, "company_a")).status).toBe(200);
    const refused = await face.call(admin, "DELETE", "/companies/company_a");
    expect(refused.status).toBe(409);
    const { data: keys } = (await face.call(admin, "GET", "/api-keys")).body;
    const key = keys.find((each: { companyId: string }) => each.companyId === "company_a");
    expect(refused.body.error.message).toContain(key.id);
    expect((await withCompany(bound, "company_a")).status).toBe(200);
    await face.call(admin, "DELETE", `/api-keys/${key.id}`);
    const removed = await face.call(admin, "DELETE", "/companies/company_a");
    expect(removed.body.data).toEqual({ id: "company_a", deleted: true });
    const answer = await withCompany(admin, "company_a");
    expect([answer.status, answer.body.error.details[0].code]).toEqual([403, "UNKNOWN_COMPANY"]);
    expect((await face.call(admin, "GET", "/companies/company_a")).status).toBe(404);
  });
});

test("another tenant's companies are neither seen, changed nor removed, and their ids are free", async () => {
  const [mine, theirs] = [await newTenant(), await newTenant()];
  await create(theirs.admin, { id: "company_x", name: "theirs" });
  expect((await face.call(mine.admin, "GET", "/companies")).body.data).toEqual([]);
  for (const [method, body] of [["GET"], ["PATCH", { name: "x" }], ["DELETE"]] as const) {
    expect((await face.call(mine.admin, method, "/companies/company_x", body)).status).toBe(404);
  }
  expect((await withCompany(mine.admin, "company_x")).status).toBe(403);
  expect((await create(mine.admin, { id: "company_x", name: "mine" })).status).toBe(201);
  expect((await face.call(theirs.admin, "GET", "/companies/company_x")).body.data.name).toBe("theirs");
});

test("a sandbox key reads companies and changes none: both modes share them", async () => {
  const { tenant, admin } = await newTenant();
  await create(admin, { id: "company_a", name: "A" });
  const sandbox = await face.addKey(tenant, { livemode: false });
  expect((await face.call(sandbox, "GET", "/companies")).body.data).toHaveLength(1);
  for (const [method, path, body] of [
    ["POST", "/companies", { name: "x" }],
    ["PATCH", "/companies/company_a", { name: "x" }],
    ["DELETE", "/companies/company_a"],
  ] as const) {
    const answer = await face.call(sandbox, method, path, body);
    expect([answer.status, answer.body.error.details[0].code]).toEqual([403, "LIVE_KEY_REQUIRED"]);
  }
});
