// Where a key may be used, handed on: one that is bound to a company or to addresses makes no key that reaches further.
// Otherwise the bounds of an administrator's key would be off with its first request. Its expiry is not handed on: a key
// must be able to make its successor. Must never loosen a bound because something could not be read.
import { type Id, uuidFromId } from "@posthorn/contract";
import { blockContains } from "../security/addresses/blocks.ts";
import { type AddressList, parseAddressList } from "../security/addresses/address-list.ts";
import type { Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type ApiKeyRow, selectApiKey } from "./api-keys.sql.ts";

/** Null: not bound. */
export type KeyBounds = Pick<ApiKeyRow, "company_id" | "allowed_ips" | "of_oauth_grant">;

export type OutOfBounds = {
  readonly kind: "out_of_bounds";
  readonly field: "companyId" | "allowedIps" | "scopes";
  readonly message: string;
};

const UNBOUND: KeyBounds = { company_id: null, allowed_ips: null, of_oauth_grant: false };

/** The bounds of the key that acts, as they are in this transaction. */
export async function boundsOfActor(db: Executor, actor: Actor): Promise<KeyBounds> {
  const row = await selectApiKey(db, actor.tenantUuid, uuidFromId("apiKey", actor.keyId as Id<"apiKey">), false);
  if (row === null) throw new Error(`the key ${actor.keyId} acts and is not there`);
  // Bound to the machine because it lies in a file; whoever reads that file rules the installation.
  return row.of_operator_file ? UNBOUND : row;
}

/** A new key: what is left open is as bound as the key that makes it. */
export function inheritingBounds(row: ApiKeyRow, bounds: KeyBounds): ApiKeyRow {
  return {
    ...row,
    company_id: row.company_id ?? bounds.company_id,
    allowed_ips: row.allowed_ips ?? bounds.allowed_ips,
  };
}

/** Why a key as it would be reaches further than the key that acts; null when it does not. */
export function beyondBounds(
  row: Pick<ApiKeyRow, "company_id" | "allowed_ips">,
  bounds: KeyBounds,
): OutOfBounds | null {
  if (bounds.of_oauth_grant) {
    const message = "This is an access token: a key that it made would outlive what was allowed. Use an API key.";
    return { kind: "out_of_bounds", field: "scopes", message };
  }
  if (bounds.company_id !== null && row.company_id !== bounds.company_id) {
    const message = `Your key is bound to the company ${bounds.company_id}: keys that it makes or changes are bound to it too.`;
    return { kind: "out_of_bounds", field: "companyId", message };
  }
  if (bounds.allowed_ips !== null && !isWithin(row.allowed_ips, bounds.allowed_ips)) {
    const message = `Your key may be used from ${bounds.allowed_ips.slice(0, 5).join(", ")} only: keys that it makes or changes may be used from there only too.`;
    return { kind: "out_of_bounds", field: "allowedIps", message };
  }
  return null;
}

/** Whether each entry lies in one of the others. */
function isWithin(entries: readonly string[] | null, others: readonly string[]): boolean {
  if (entries === null) return false;
  const inner = parseAddressList(entries) as AddressList;
  const outer = parseAddressList(others) as AddressList;
  if (inner.blocks.length < entries.length) return false;
  return inner.blocks.every((block) =>
    outer.blocks.some((other) => other.prefixBits <= block.prefixBits && blockContains(other, block.bytes)),
  );
}
