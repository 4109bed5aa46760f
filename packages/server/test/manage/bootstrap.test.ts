// Proves the first start: one tenant and one key however many nodes start, audited, and silence ever after.
import { randomFillSync } from "node:crypto";
import { IdGenerator } from "@posthorn/contract";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bootstrap } from "../../src/manage/bootstrap.ts";
import { hashApiKey, inspectApiKey } from "../../src/security/api-keys.ts";
import { openMasterKey } from "../../src/security/master-key.ts";
import { createVault } from "../../src/security/vault.ts";
import { createPooledDatabase, type PooledDatabase } from "../maintain/fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);
const random = (target: Uint8Array) => void randomFillSync(target);

let database: PooledDatabase;
afterEach(() => database.close());

function start(givenApiKey?: string) {
  const masterKey = openMasterKey(Buffer.alloc(32, 1).toString("base64"));
  if (!masterKey.ok) throw new Error(masterKey.message);
  const clock = { nowMs: () => NOW, monotonicMs: () => 0 };
  const ids = new IdGenerator(clock.nowMs, random);
  const { engine } = database.pools;
  const vault = createVault({ engine, masterKey: masterKey.key, clock, ids, random });
  return bootstrap({ engine, vault, clock, ids, random, actor: "node_test", givenApiKey });
}

async function rows(sql: string): Promise<Record<string, unknown>[]> {
  return (await database.admin.query<Record<string, unknown>>(sql)).rows;
}

describe.each([
  { access: "roles", withRoles: true },
  { access: "settings in their place", withRoles: false },
])("with $access", ({ withRoles }) => {
  beforeEach(async () => {
    database = await createPooledDatabase({ withRoles });
  });

  test("makes tenant, company, key of the tenant and administrator's key, and raises the configuration", async () => {
    const result = await start();
    if (result.outcome !== "created") throw new Error(result.outcome);
    const apiKey = result.mintedApiKey as string;
    expect(inspectApiKey(apiKey)).toBe("minted");
    expect(await rows("select id, name, retention_class, unknown_event_types from tenant")).toEqual([
      { id: result.tenantUuid, name: "default", retention_class: 90, unknown_event_types: "refused" },
    ]);
    expect(await rows("select tenant_id, id from company")).toEqual([
      { tenant_id: result.tenantUuid, id: "company_default" },
    ]);
    expect(await rows("select count(*)::int as n from tenant_key")).toEqual([{ n: 1 }]);
    expect(
      await rows("select key_hash, livemode, scopes, last_characters, created_at, config_version from api_key"),
    ).toEqual([
      {
        key_hash: hashApiKey(apiKey),
        livemode: true,
        scopes: ["admin", "operator"],
        last_characters: apiKey.slice(-4),
        created_at: new Date(NOW),
        config_version: "2",
      },
    ]);
    expect(await rows("select version from config_version")).toEqual([{ version: "2" }]);
  });

  test("says in the audit trail what it made, without the key", async () => {
    const result = await start();
    const entries = await rows("select actor, action, object_id, change::text from audit_entry order by action");
    expect(entries.map((entry) => entry["action"])).toEqual(["api_key.created", "company.created", "tenant.created"]);
    expect(entries.every((entry) => entry["actor"] === "node_test")).toBe(true);
    const apiKey = result.outcome === "created" ? (result.mintedApiKey as string) : "";
    expect(JSON.stringify(entries)).not.toContain(apiKey.slice(12, 30));
  });
});

describe("the first start", () => {
  beforeEach(async () => {
    database = await createPooledDatabase();
  });

  test("takes the key that the operator gives and does not give it back", async () => {
    expect(await start("correct-horse-battery")).toMatchObject({ outcome: "created", mintedApiKey: null });
    expect(await rows("select key_hash, livemode, last_characters from api_key")).toEqual([
      { key_hash: hashApiKey("correct-horse-battery"), livemode: true, last_characters: "tery" },
    ]);
  });

  test("makes a test key of a given key that says so by its prefix", async () => {
    await start("blg_test_sk_chosen_by_me");
    expect(await rows("select livemode from api_key")).toEqual([{ livemode: false }]);
  });

  test("happens once, of nodes that start together and of later starts with another key", async () => {
    const outcomes = (await Promise.all([start(), start(), start()])).map((result) => result.outcome);
    expect(outcomes.toSorted()).toEqual(["created", "present", "present"]);
    expect(await start("correct-horse-battery")).toEqual({ outcome: "present" });
    const counts = "select (select count(*) from tenant)::int as tenants, (select count(*) from api_key)::int as keys";
    expect(await rows(counts)).toEqual([{ tenants: 1, keys: 1 }]);
  });

  test("leaves nothing behind when it fails in the middle", async () => {
    await database.admin.query("alter table audit_entry add check (action <> 'api_key.created')");
    await expect(start()).rejects.toMatchObject({ code: "23514" });
    expect(await rows("select id from tenant")).toEqual([]);
    expect(await rows("select version from config_version")).toEqual([{ version: "1" }]);
  });
});
