// Rotating a signing secret through the API: what is shown and when, what is refused, what the rows say before and after.
import { uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { retireSecrets } from "../../src/maintain/retire-secrets.ts";
import { type Face, openFace } from "../http/support.ts";

let face: Face;
let key: string;

beforeAll(async () => {
  face = await openFace();
  key = await face.addKey(await face.addTenant("one"));
});
afterAll(() => face.close());

const OLD = "the-old-secret";
const create = async (): Promise<string> => {
  const fields = { url: "https://example.com/", events: ["invoice.paid"], secret: OLD };
  return (await face.call(key, "POST", "/webhooks", fields)).body.data.id;
};
const post = (id: string, action: string, body?: unknown, headers?: Record<string, string>) =>
  face.call(key, "POST", `/webhooks/${id}/secret/${action}`, body, headers);
const read = async (id: string) => (await face.call(key, "GET", `/webhooks/${id}`)).body.data;
const rowsOf = async (id: string): Promise<{ purpose: string; ends: boolean; id: string }[]> => {
  const { rows } = await face.owner.query(
    "select purpose, valid_until_at is not null as ends, id from secret where webhook_id = $1 order by purpose",
    [uuidFromId("webhook", id as never)],
  );
  return rows;
};
const shape = async (id: string) => (await rowsOf(id)).map((row) => `${row.purpose}${row.ends ? " ends" : ""}`);

test("rotate shows the new secret once and says until when the old one is in force", async () => {
  const id = await create();
  const answer = await post(id, "rotate", {});
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  expect(answer.body.data.secret).toMatch(/^whsec_/);
  expect(answer.body.data.standardWebhooksSecret).toBe(answer.body.data.secret);
  const { startedAt, overlapEndsAt, switched } = answer.body.data.secretRotation;
  expect(switched).toBe(false);
  const overlapMs = Date.parse(overlapEndsAt) - Date.parse(startedAt);
  expect(overlapMs).toBeGreaterThanOrEqual(86_400_000);
  expect(overlapMs).toBeLessThan(86_401_000);
  expect(await shape(id)).toEqual(["signing ends", "signing_next"]);
  const shown = await read(id);
  expect(shown.secretRotation).toEqual({ startedAt, overlapEndsAt, switched });
  expect(JSON.stringify(shown)).not.toContain(answer.body.data.secret);
  expect(shown.version).toBe(2);
});

test("rotate takes no body, a secret of your own, and an overlap", async () => {
  expect((await post(await create(), "rotate")).status).toBe(200);
  const answer = await post(await create(), "rotate", { secret: "the-new-secret", overlapSeconds: 120 });
  expect(answer.body.data.secret).toBe("the-new-secret");
  const { startedAt, overlapEndsAt } = answer.body.data.secretRotation;
  expect(Date.parse(overlapEndsAt) - Date.parse(startedAt)).toBeLessThan(121_000);
});

test("an overlap of nothing replaces the secret at once, also during a rotation", async () => {
  const id = await create();
  const first = await post(id, "rotate", { overlapSeconds: 0 });
  expect(first.body.data.secretRotation).toBeUndefined();
  expect(await shape(id)).toEqual(["signing"]);
  await post(id, "rotate", {});
  expect((await post(id, "rotate", { overlapSeconds: 0 })).status).toBe(200);
  expect(await shape(id)).toEqual(["signing"]);
});

test("a second rotation is refused while the first is under way, switched or not, and says what to do", async () => {
  const id = await create();
  const { overlapEndsAt } = (await post(id, "rotate")).body.data.secretRotation;
  const before = await rowsOf(id);
  const refused = await post(id, "rotate");
  expect([refused.status, refused.body.error.code]).toEqual([409, "ROTATION_UNDER_WAY"]);
  expect(refused.body.error.message).toContain(overlapEndsAt);
  expect(await rowsOf(id)).toEqual(before);
  await post(id, "switch");
  expect((await post(id, "rotate")).status).toBe(409);
});

test("switch changes the roles, once; it is refused where there is nothing to switch to", async () => {
  const id = await create();
  expect((await post(id, "switch")).body.error.code).toBe("NO_ROTATION_UNDER_WAY");
  await post(id, "rotate");
  const [old, fresh] = await rowsOf(id);
  const { overlapEndsAt } = (await read(id)).secretRotation;
  const switched = await post(id, "switch");
  expect(switched.status).toBe(200);
  expect(switched.body.data.secretRotation).toMatchObject({ overlapEndsAt, switched: true });
  expect(switched.body.data.secret).toBeUndefined();
  expect(await rowsOf(id)).toEqual([
    { purpose: "signing", ends: false, id: fresh?.id },
    { purpose: "signing_previous", ends: true, id: old?.id },
  ]);
  const again = await post(id, "switch");
  expect([again.status, again.headers["etag"]]).toEqual([200, switched.headers["etag"]]);
});

test("PUT secret ends a rotation at once; with the old text it gives the new one up", async () => {
  const id = await create();
  await post(id, "rotate");
  const answer = await face.call(key, "PUT", `/webhooks/${id}`, { secret: OLD });
  expect(answer.body.data).toMatchObject({ secret: OLD });
  expect(answer.body.data.secretRotation).toBeUndefined();
  expect(await shape(id)).toEqual(["signing"]);
  const same = await face.call(key, "PUT", `/webhooks/${id}`, { secret: OLD });
  expect(same.body.data.version).toBe(answer.body.data.version);
});

test("when the overlap is over the new secret is in force, before and after upkeep", async () => {
  const id = await create();
  await post(id, "rotate", { overlapSeconds: 60 });
  const fresh = (await rowsOf(id)).find((row) => row.purpose === "signing_next");
  const atMs = face.clock.atMs;
  try {
    face.clock.atMs = atMs + 59_000;
    expect(await retireSecrets(face.pools.engine, face.clock.nowMs())).toBe(0);
    face.clock.atMs = atMs + 61_000;
    expect((await read(id)).secretRotation).toBeUndefined();
    expect((await post(id, "switch")).body.error.code).toBe("NO_ROTATION_UNDER_WAY");
    expect(await retireSecrets(face.pools.engine, face.clock.nowMs())).toBe(1);
    expect(await rowsOf(id)).toEqual([{ purpose: "signing", ends: false, id: fresh?.id }]);
    expect((await read(id)).secretRotation).toBeUndefined();
    expect(await retireSecrets(face.pools.engine, face.clock.nowMs())).toBe(0);
    // A rotation that upkeep has not cleared yet does not stand in the way of the next.
    await post(id, "rotate", { overlapSeconds: 60 });
    const waiting = (await rowsOf(id)).find((row) => row.purpose === "signing_next");
    face.clock.atMs += 61_000;
    expect((await post(id, "rotate", { overlapSeconds: 60 })).status).toBe(200);
    expect((await rowsOf(id)).find((row) => row.purpose === "signing")).toMatchObject({ ends: true, id: waiting?.id });
  } finally {
    face.clock.atMs = atMs;
  }
});

test("upkeep leaves a webhook its last secret, whatever its end says", async () => {
  const id = await create();
  await face.owner.query("update secret set valid_until_at = now() - interval '1 day' where webhook_id = $1", [
    uuidFromId("webhook", id as never),
  ]);
  await retireSecrets(face.pools.engine, face.clock.nowMs());
  expect(await shape(id)).toEqual(["signing ends"]);
});

test("is refused: a poor secret, the one in force, odd overlaps, unknown members, a stale ETag, foreign ids", async () => {
  const id = await create();
  const wrong: [unknown, string][] = [
    [{ secret: "short" }, "secret"],
    [{ secret: OLD }, "secret"],
    [{ overlapSeconds: -1 }, "overlapSeconds"],
    [{ overlapSeconds: 604_801 }, "overlapSeconds"],
    [{ overlapSeconds: 1.5 }, "overlapSeconds"],
    [{ overlap: 5 }, "overlap"],
  ];
  for (const [body, field] of wrong) {
    const answer = await post(id, "rotate", body);
    expect([answer.status, answer.body.error.details[0].field], JSON.stringify(body)).toEqual([422, field]);
    expect(JSON.stringify(answer.body)).not.toContain(OLD);
  }
  expect((await post(id, "rotate", {}, { "if-match": '"0-0"' })).status).toBe(412);
  const stranger = await face.addKey(await face.addTenant("two"));
  for (const action of ["rotate", "switch"]) {
    expect((await face.call(stranger, "POST", `/webhooks/${id}/secret/${action}`)).status).toBe(404);
  }
  const reader = await face.addKey(await face.addTenant("three"), { scopes: ["read:webhooks"] });
  expect((await face.call(reader, "POST", `/webhooks/${id}/secret/rotate`)).status).toBe(403);
  expect(await shape(id)).toEqual(["signing"]);
});

test("the trail tells of rotation and switch, and no secret", async () => {
  const id = await create();
  await post(id, "rotate", { secret: "the-new-secret" });
  await post(id, "switch");
  const { rows } = await face.owner.query(
    "select action, change, change::text as text from audit_entry where object_id = $1 order by id",
    [id],
  );
  expect(rows.map((row) => row.action)).toEqual([
    "webhook.created",
    "webhook.secret_rotated",
    "webhook.secret_switched",
  ]);
  expect(rows[1].change).toMatchObject({ secret: { from: "********", to: "********" }, overlapEndsAt: { from: null } });
  expect(rows.map((row) => row.text).join("")).not.toMatch(/the-(old|new)-secret/);
});
