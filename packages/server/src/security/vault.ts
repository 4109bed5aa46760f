// Encrypts and decrypts the secrets of tenants: the master key wraps a key per tenant, that key seals the secrets.
// Keys exist unwrapped in memory only; nothing here may put a key or a secret into a message.
import { createSecretKey } from "node:crypto";
import { type IdGenerator, uuidFromBytes } from "@posthorn/contract";
import { LRUCache } from "lru-cache";
import type { Clock } from "../lib/clock.ts";
import type { Executor } from "../storage/pools.ts";
import { keyIdOf, type NamedKey, SecretError, type SecretPlace, seal, unseal } from "./ciphertext.ts";
import { MASTER_KEY_BYTES, type MasterKey, type MasterKeyErrorCode } from "./master-key.ts";
import {
  insertTenantKey,
  selectCurrentTenantKey,
  selectKeyPerMasterKey,
  selectTenantKey,
  type TenantKeyRow,
} from "./vault.sql.ts";

/** Tenants whose keys stay unwrapped in memory. */
const KEYS_KEPT = 10_000;

export interface VaultOptions {
  /** Engine role: reads the key that a ciphertext names, of any tenant. */
  readonly engine: Executor;
  readonly masterKey: MasterKey;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** Fills its argument with random bytes fit for keys. */
  readonly random: (target: Uint8Array) => void;
}

export interface Vault {
  /**
   * Encrypts text for one place with the tenant's current key; the first call for a tenant makes that key.
   * @param db what the caller writes the ciphertext with: key and ciphertext are stored together or not at all
   * @throws SecretError WRONG_MASTER_KEY, SECRET_UNREADABLE when the tenant's key cannot be unwrapped
   */
  encryptSecret(db: Executor, secret: SecretPlace & { readonly plaintext: string }): Promise<string>;
  /**
   * Decrypts what `encryptSecret` made for the same place.
   * @throws SecretError SECRET_UNREADABLE, TENANT_KEY_MISSING, WRONG_MASTER_KEY
   */
  decryptSecret(secret: SecretPlace & { readonly ciphertext: string }): Promise<string>;
  /** Makes a tenant's key ahead of its first secret, in the transaction that makes the tenant. */
  createTenantKey(db: Executor, tenantUuid: string): Promise<void>;
}

export function createVault(options: VaultOptions): Vault {
  const { engine, masterKey, clock, ids, random } = options;
  // By the key's own id, never "the tenant's key": a key made in a transaction that rolls back is then only forgotten.
  const unwrapped = new LRUCache<string, NamedKey>({ max: KEYS_KEPT });

  const unwrap = (tenantUuid: string, row: TenantKeyRow): NamedKey => {
    const present = unwrapped.get(row.id);
    if (present !== undefined) return present;
    const key = { id: row.id, key: createSecretKey(unwrapTenantKey(masterKey, tenantUuid, row)) };
    unwrapped.set(row.id, key);
    return key;
  };

  const create = async (db: Executor, tenantUuid: string): Promise<NamedKey> => {
    const bytes = Buffer.alloc(MASTER_KEY_BYTES);
    random(bytes);
    const id = uuidFromBytes(ids.next());
    const wrappedKey = seal(masterKey, tenantKeyPlace(tenantUuid, id), bytes, random);
    await insertTenantKey(db, { tenantUuid, id, createdAtMs: clock.nowMs(), wrappedKey });
    return { id, key: createSecretKey(bytes) };
  };

  return {
    async encryptSecret(db, { plaintext, ...place }) {
      const row = await selectCurrentTenantKey(db, place.tenantUuid);
      const key = row === null ? await create(db, place.tenantUuid) : unwrap(place.tenantUuid, row);
      return seal(key, place, Buffer.from(plaintext, "utf8"), random);
    },
    async decryptSecret({ ciphertext, ...place }) {
      const keyId = keyIdOf(ciphertext) ?? "";
      let key = unwrapped.get(keyId);
      if (key === undefined) {
        const row = UUID.test(keyId) ? await selectTenantKey(engine, place.tenantUuid, keyId) : null;
        if (row === null) throw missingKey(place);
        key = unwrap(place.tenantUuid, row);
      }
      return unseal(key, place, ciphertext).toString("utf8");
    },
    async createTenantKey(db, tenantUuid) {
      await create(db, tenantUuid);
    },
  };
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

function tenantKeyPlace(tenantUuid: string, id: string): SecretPlace {
  return { tenantUuid, table: "tenant_key", column: "wrapped_key", rowId: id };
}

function unwrapTenantKey(masterKey: MasterKey, tenantUuid: string, row: TenantKeyRow): Buffer {
  const wrappedBy = keyIdOf(row.wrapped_key);
  if (wrappedBy !== masterKey.id) throw new SecretError("WRONG_MASTER_KEY", wrongMasterKey(masterKey, wrappedBy));
  return unseal(masterKey, tenantKeyPlace(tenantUuid, row.id), row.wrapped_key);
}

function wrongMasterKey(masterKey: MasterKey, wrappedBy: string | null): string {
  return `The master key ${masterKey.id} is not the one that this database's secrets were encrypted under (${wrappedBy ?? "unknown"}). Set POSTHORN_MASTER_KEY to that one, or restore master.key in the data directory; nothing was changed.`;
}

function missingKey(place: SecretPlace): SecretError {
  return new SecretError(
    "TENANT_KEY_MISSING",
    `The key of the secret in ${place.table}.${place.column} of row ${place.rowId} is not there: the tenant's keys were deleted, or the ciphertext belongs to another tenant.`,
  );
}

/**
 * Whether this master key opens this database, before anything is served or written.
 * @param engine engine role; reads only
 */
export async function checkMasterKey(
  engine: Executor,
  masterKey: MasterKey,
): Promise<{ ok: true } | { ok: false; code: MasterKeyErrorCode; message: string }> {
  const closed = findUnopened(masterKey, await selectKeyPerMasterKey(engine));
  if (closed === null) return { ok: true };
  return { ok: false, code: "WRONG_MASTER_KEY", message: wrongMasterKey(masterKey, keyIdOf(closed.wrapped_key)) };
}

/** The first of these wrapped keys that the master key does not open; null when it opens all. */
export function findUnopened<Row extends TenantKeyRow & { readonly tenant_id: string }>(
  masterKey: MasterKey,
  rows: readonly Row[],
): Row | null {
  for (const row of rows) {
    try {
      unwrapTenantKey(masterKey, row.tenant_id, row);
    } catch (error) {
      if (!(error instanceof SecretError)) throw error;
      return row;
    }
  }
  return null;
}
