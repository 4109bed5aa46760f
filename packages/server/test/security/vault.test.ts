// Proves the two layers of keys: secrets under a tenant's key, that key under the master key.
import { randomFillSync } from "node:crypto";
import { IdGenerator, uuidFromBytes } from "@posthorn/contract";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type MasterKey, openMasterKey } from "../../src/security/master-key.ts";
import { checkMasterKey, createVault, type Vault } from "../../src/security/vault.ts";
import { hasTenantKeys } from "../../src/security/vault.sql.ts";
import { asTenant } from "../../src/storage/pools.ts";
import { createPooledDatabase, type PooledDatabase } from "../maintain/fixtures.ts";

const NOW = Date.UTC(2026, 10, 23);
const random = (target: Uint8Array) => void randomFillSync(target);
const ids = new IdGenerator(() => NOW, random);
const newUuid = () => uuidFromBytes(ids.next());
const masterKeyOf = (fill: number): MasterKey => {
  const result = openMasterKey(Buffer.alloc(32, fill).toString("base64"));
  if (!result.ok) throw new Error(result.message);
  return result.key;
};
const masterKey = masterKeyOf(1);
const otherMasterKey = masterKeyOf(2);

let database: PooledDatabase;
beforeAll(async () => {
  database = await createPooledDatabase();
});
afterAll(() => database.close());
beforeEach(() => database.admin.query("truncate tenant_key"));

const vaultUnder = (key: MasterKey): Vault =>
  createVault({
    engine: database.pools.engine,
    masterKey: key,
    clock: { nowMs: () => NOW, monotonicMs: () => 0 },
    ids,
    random,
  });
const countKeys = async () =>
  (await database.admin.query<{ n: number }>("select count(*)::int as n from tenant_key")).rows[0]?.n;
const newPlace = () => ({ tenantUuid: newUuid(), table: "secret", column: "ciphertext", rowId: newUuid() });

test("a tenant's first secret makes its key, under row-level security; the second uses it", async () => {
  const vault = vaultUnder(masterKey);
  const place = newPlace();
  const encrypt = (plaintext: string) =>
    asTenant(database.pools.api, place.tenantUuid, (db) => vault.encryptSecret(db, { ...place, plaintext }));
  const ciphertexts = [await encrypt("whsec_one"), await encrypt("whsec_two")];
  expect(await countKeys()).toBe(1);
  for (const each of [vault, vaultUnder(masterKey)]) {
    expect(await each.decryptSecret({ ...place, ciphertext: ciphertexts[0] as string })).toBe("whsec_one");
    expect(await each.decryptSecret({ ...place, ciphertext: ciphertexts[1] as string })).toBe("whsec_two");
  }
});

test("a transaction that rolls back takes the key it made with it, and the next one makes another", async () => {
  const vault = vaultUnder(masterKey);
  const place = newPlace();
  const failing = asTenant(database.pools.api, place.tenantUuid, async (db) => {
    await vault.encryptSecret(db, { ...place, plaintext: "one" });
    await vault.encryptSecret(db, { ...place, plaintext: "two" });
    throw new Error("rolled back");
  });
  await expect(failing).rejects.toThrow("rolled back");
  expect(await countKeys()).toBe(0);
  const ciphertext = await vault.encryptSecret(database.pools.engine, { ...place, plaintext: "three" });
  expect(await vaultUnder(masterKey).decryptSecret({ ...place, ciphertext })).toBe("three");
});

test("a ciphertext is worthless in another tenant, also in one that has the same key row", async () => {
  const vault = vaultUnder(masterKey);
  const place = newPlace();
  const ciphertext = await vault.encryptSecret(database.pools.engine, { ...place, plaintext: "secret" });
  expect(await vault.decryptSecret({ ...place, ciphertext })).toBe("secret");
  const foreign = { ...place, tenantUuid: newUuid(), ciphertext };
  await expect(vault.decryptSecret(foreign)).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
  await expect(vaultUnder(masterKey).decryptSecret(foreign)).rejects.toMatchObject({ code: "TENANT_KEY_MISSING" });
  await database.admin.query("insert into tenant_key select $1, id, created_at, null, wrapped_key from tenant_key", [
    foreign.tenantUuid,
  ]);
  await expect(vaultUnder(masterKey).decryptSecret(foreign)).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
});

test("deleting a tenant's keys makes its secrets unreadable for every node that starts after", async () => {
  const place = newPlace();
  const ciphertext = await vaultUnder(masterKey).encryptSecret(database.pools.engine, {
    ...place,
    plaintext: "secret",
  });
  await database.admin.query("delete from tenant_key");
  await expect(vaultUnder(masterKey).decryptSecret({ ...place, ciphertext })).rejects.toMatchObject({
    code: "TENANT_KEY_MISSING",
  });
});

test("the key of another row cannot be slipped in, nor a text that is no ciphertext", async () => {
  const vault = vaultUnder(masterKey);
  const place = newPlace();
  await vault.encryptSecret(database.pools.engine, { ...place, plaintext: "secret" });
  for (const ciphertext of ["", "v1", "v1.a.b.c.d", "v1.' or true.b.c.d", "whsec_plain"]) {
    await expect(vault.decryptSecret({ ...place, ciphertext })).rejects.toMatchObject({ code: "TENANT_KEY_MISSING" });
  }
});

test("the wrong master key is found out before anything is done, and by every use", async () => {
  const place = newPlace();
  expect(await hasTenantKeys(database.pools.engine)).toBe(false);
  expect(await checkMasterKey(database.pools.engine, otherMasterKey)).toEqual({ ok: true });
  const ciphertext = await vaultUnder(masterKey).encryptSecret(database.pools.engine, {
    ...place,
    plaintext: "secret",
  });
  expect(await hasTenantKeys(database.pools.engine)).toBe(true);
  expect(await checkMasterKey(database.pools.engine, masterKey)).toEqual({ ok: true });

  const result = await checkMasterKey(database.pools.engine, otherMasterKey);
  expect(result).toMatchObject({ ok: false, code: "WRONG_MASTER_KEY" });
  if (!result.ok) expect(result.message).toContain(masterKey.id);
  const wrong = vaultUnder(otherMasterKey);
  const refused = { code: "WRONG_MASTER_KEY" };
  await expect(wrong.decryptSecret({ ...place, ciphertext })).rejects.toMatchObject(refused);
  await expect(wrong.encryptSecret(database.pools.engine, { ...place, plaintext: "x" })).rejects.toMatchObject(refused);
  expect(await countKeys()).toBe(1);
});

test("a wrapped key that was damaged counts as a wrong master key, not as no key", async () => {
  const place = newPlace();
  await vaultUnder(masterKey).encryptSecret(database.pools.engine, { ...place, plaintext: "secret" });
  await database.admin.query(
    "update tenant_key set wrapped_key = regexp_replace(wrapped_key, '[^.]+$', repeat('A', 22))",
  );
  expect(await checkMasterKey(database.pools.engine, masterKey)).toMatchObject({ ok: false });
});
