// The rows that making or changing an API key consists of, inside a change that has raised the configuration version.
// Must not decide anything, and of a key's text must store nothing but its hash and last characters.
import { idFromUuid } from "@posthorn/contract";
import { hashApiKey, lastCharactersOf } from "../security/api-keys.ts";
import { auditedMembers } from "./api-key-view.ts";
import { type ApiKeyRow, insertApiKey, updateApiKey } from "./api-keys.sql.ts";
import { type Attribution, type Change, entryBy, madeMembers } from "./change.ts";

/** What can be said about a key when it is made, beside its mode; `null` is the same as leaving a field out. */
export interface ApiKeyFields {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly companyId?: string | null | undefined;
  readonly allowedIps?: readonly string[] | null | undefined;
  /** Milliseconds since 1970. */
  readonly expiresAtMs?: number | null | undefined;
  readonly captureLimitPerSecond?: number | null | undefined;
}

export type ApiKeyChange = { readonly [Field in keyof ApiKeyFields]?: ApiKeyFields[Field] | undefined };

/** @param text of the key: its last characters are kept */
export function newKeyRow(
  change: Change,
  text: string,
  fields: ApiKeyFields,
  livemode: boolean,
  webhookUuid: string | null,
): ApiKeyRow {
  return {
    id: change.newUuid(),
    created_at: new Date(change.atMs),
    expires_at: dateOf(fields.expiresAtMs),
    revoked_at: null,
    last_used_at: null,
    webhook_id: webhookUuid,
    capture_limit_per_second: fields.captureLimitPerSecond ?? null,
    livemode,
    name: fields.name,
    last_characters: lastCharactersOf(text),
    company_id: fields.companyId ?? null,
    scopes: [...new Set(fields.scopes)],
    allowed_ips: fields.allowedIps ? [...fields.allowedIps] : null,
    of_operator_file: false,
    of_oauth_grant: false,
  };
}

/** The row of a new key and its audit entry; only the hash of its text is stored. */
export async function storeNewKey(change: Change, writer: Attribution, row: ApiKeyRow, text: string): Promise<void> {
  const { tenantUuid } = writer;
  await insertApiKey(change.db, {
    tenantUuid,
    uuid: row.id,
    atMs: change.atMs,
    configVersion: change.configVersion,
    keyHash: hashApiKey(text),
    name: row.name,
    lastCharacters: row.last_characters,
    livemode: row.livemode,
    scopes: row.scopes,
    webhookUuid: row.webhook_id,
    companyId: row.company_id,
    allowedIps: row.allowed_ips,
    expiresAtMs: row.expires_at?.getTime() ?? null,
    captureLimitPerSecond: row.capture_limit_per_second,
  });
  await change.audit(
    entryBy(writer, "api_key.created", "api_key", idFromUuid("apiKey", row.id), madeMembers(auditedMembers(row))),
  );
}

/** The row after a change: fields given replace those stored, `null` restores the default. */
export function changedKeyRow(before: ApiKeyRow, fields: ApiKeyChange): ApiKeyRow {
  const given = <Value>(value: Value | undefined, otherwise: Value): Value => (value === undefined ? otherwise : value);
  return {
    ...before,
    name: fields.name ?? before.name,
    scopes: fields.scopes === undefined ? before.scopes : [...new Set(fields.scopes)],
    company_id: given(fields.companyId, before.company_id),
    allowed_ips: fields.allowedIps === undefined ? before.allowed_ips : (fields.allowedIps?.slice() ?? null),
    expires_at: fields.expiresAtMs === undefined ? before.expires_at : dateOf(fields.expiresAtMs),
    capture_limit_per_second: given(fields.captureLimitPerSecond, before.capture_limit_per_second),
  };
}

/** What can change of a key, and the audit entry. */
export async function storeChangedKey(
  change: Change,
  writer: Attribution,
  row: ApiKeyRow,
  action: string,
  members: Readonly<Record<string, unknown>>,
): Promise<void> {
  const { tenantUuid } = writer;
  await updateApiKey(change.db, {
    tenantUuid,
    uuid: row.id,
    configVersion: change.configVersion,
    name: row.name,
    scopes: row.scopes,
    companyId: row.company_id,
    allowedIps: row.allowed_ips,
    expiresAt: row.expires_at,
    captureLimitPerSecond: row.capture_limit_per_second,
    revokedAt: row.revoked_at,
  });
  await change.audit(entryBy(writer, action, "api_key", idFromUuid("apiKey", row.id), members));
}

function dateOf(ms: number | null | undefined): Date | null {
  return ms === null || ms === undefined ? null : new Date(ms);
}
