// The same management on a server that lets us make no roles: a setting stands for the engine, the policies are forced
// on the owner, and the API still sees one tenant only.
import { randomFillSync } from "node:crypto";
import { idFromUuid, IdGenerator, uuidFromId } from "@posthorn/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ApiKeys } from "../../src/manage/api-keys.ts";
import { AuditTrail } from "../../src/manage/audit.ts";
import { Companies } from "../../src/manage/companies.ts";
import { RegisteredTypes } from "../../src/manage/event-types.ts";
import { endOperatorKeys, issueOperatorKey } from "../../src/manage/operator-key.ts";
import { Tenants } from "../../src/manage/tenants.ts";
import { openMasterKey } from "../../src/security/master-key.ts";
import { createVault } from "../../src/security/vault.ts";
import { highestUuid } from "../../src/lib/id-bounds.ts";
import { createPooledDatabase, insertTenant, type PooledDatabase } from "../maintain/fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);
const clock = { nowMs: () => NOW, monotonicMs: () => 0 };
const random = (target: Uint8Array) => void randomFillSync(target);
const ids = new IdGenerator(clock.nowMs, random);

let database: PooledDatabase;
let tenantUuid: string;
let other: string;
beforeAll(async () => {
  database = await createPooledDatabase({ withRoles: false });
  tenantUuid = await insertTenant(database.admin);
  other = await insertTenant(database.admin);
  // The keys that act below, without being of any use themselves.
  await database.admin.query(
    `insert into api_key (tenant_id, id, created_at, revoked_at, config_version, livemode, key_hash, name,
       last_characters, scopes)
     select id, id, now(), now(), 1, true, sha256(id::text::bytea), 'actor', 'xxxx', '{admin}' from tenant`,
  );
});
afterAll(() => database.close());

const actorIn = (uuid: string) => ({
  tenantUuid: uuid,
  livemode: true,
  keyId: idFromUuid("apiKey", uuid),
  requestId: "req_test",
  unknownEventTypes: "refused" as const,
  holds: () => true,
});
function managers() {
  const { api, engine } = database.pools;
  const masterKey = openMasterKey(Buffer.alloc(32, 1).toString("base64"));
  if (!masterKey.ok) throw new Error(masterKey.message);
  const changes = { api, clock, newId: () => ids.next(), onConfigurationChanged: async () => {} };
  const vault = createVault({ engine, masterKey: masterKey.key, clock, ids, random });
  return {
    keys: new ApiKeys({ ...changes, random }),
    companies: new Companies(changes),
    types: new RegisteredTypes({ ...changes, isPublished: () => false }),
    tenants: new Tenants({ ...changes, engine, random, vault, preparePartitions: async () => {} }),
    trail: new AuditTrail(api),
  };
}

test("keys, companies, event types and settings are managed, audited, and kept apart by tenant", async () => {
  const { keys, companies, types, tenants, trail } = managers();
  const mine = actorIn(tenantUuid);
  const made = await keys.create(mine, { name: "x", scopes: ["admin"] }, undefined);
  expect(made.kind).toBe("made");
  expect((await companies.create(mine, "A", "company_a")).kind).toBe("written");
  expect((await types.register(mine, "a.b", { description: "x" })).kind).toBe("written");
  expect((await tenants.changeOwn(mine, { retentionDays: 30 })).kind).toBe("changed");
  const filter = { objectType: null, objectId: null, actor: null, action: null, fromMs: null, toMs: null };
  const page = { ...filter, beforeUuid: highestUuid(NOW + 60_000) };
  expect((await trail.list(mine, page, 10)).map((entry) => entry.action).toSorted()).toEqual([
    "api_key.created",
    "company.created",
    "event_type.registered",
    "tenant.updated",
  ]);
  const theirs = actorIn(other);
  expect(await trail.list(theirs, page, 10)).toEqual([]);
  expect(await companies.get(theirs, "company_a")).toBeNull();
  if (made.kind === "made") expect(await keys.get(theirs, uuidFromId("apiKey", made.key.id))).toBeNull();
  expect((await tenants.own(theirs))?.retentionDays).toBe(90);
});

test("an operator makes tenants, and the operator's key comes and goes", async () => {
  const { tenants } = managers();
  expect((await tenants.create(actorIn(tenantUuid), { name: "made" })).kind).toBe("made");
  const options = { engine: database.pools.engine, clock, ids };
  await issueOperatorKey(options, random, ["127.0.0.1"]);
  const inForce = async () =>
    (await database.admin.query("select 1 from api_key where of_operator_file and revoked_at is null")).rows.length;
  expect(await inForce()).toBe(1);
  await endOperatorKeys(options);
  expect(await inForce()).toBe(0);
});
