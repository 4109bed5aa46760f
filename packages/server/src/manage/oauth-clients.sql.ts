// Statements on the programs that may ask for access (OAuth clients). API role under row-level security; the tenant
// clause is written all the same, except where a program is looked up by its public id.
import type { Executor } from "../storage/pools.ts";

export interface OauthClientRow {
  tenant_id: string;
  id: string;
  created_at: Date;
  name: string;
  redirect_uris: string[];
  scopes: string[];
}

const COLUMNS = "tenant_id, id, created_at, name, redirect_uris, scopes";

/** One program, by primary key. */
export async function selectOauthClient(
  db: Executor,
  tenantUuid: string,
  uuid: string,
): Promise<OauthClientRow | null> {
  const { rows } = await db.query<OauthClientRow>({
    name: "select_oauth_client",
    text: `select ${COLUMNS} from oauth_client where tenant_id = $1 and id = $2`,
    values: [tenantUuid, uuid],
  });
  return rows[0] ?? null;
}

/** Says which program the rest of this transaction is about: its id is public, its tenant not known yet. */
export async function nameOauthClient(db: Executor, uuid: string): Promise<void> {
  await db.query({
    name: "name_oauth_client",
    text: "select set_config('posthorn.oauth_client_id', $1, true)",
    values: [uuid],
  });
}

/** The program that `nameOauthClient` named, whosever it is. Few rows: there are as many as integrations. */
export async function selectNamedOauthClient(db: Executor, uuid: string): Promise<OauthClientRow | null> {
  const { rows } = await db.query<OauthClientRow>({
    name: "select_named_oauth_client",
    text: `select ${COLUMNS} from oauth_client where id = $1`,
    values: [uuid],
  });
  return rows[0] ?? null;
}

/** A page of programs below an id, newest first, by primary key. */
export async function selectOauthClients(
  db: Executor,
  tenantUuid: string,
  beforeUuid: string,
  limit: number,
): Promise<OauthClientRow[]> {
  const { rows } = await db.query<OauthClientRow>({
    name: "select_oauth_clients",
    text: `select ${COLUMNS} from oauth_client where tenant_id = $1 and id < $2 order by id desc limit $3`,
    values: [tenantUuid, beforeUuid, limit],
  });
  return rows;
}

export interface NewOauthClient {
  readonly tenantUuid: string;
  readonly uuid: string;
  readonly atMs: number;
  readonly configVersion: number;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
}

/** Adds a program. */
export async function insertOauthClient(db: Executor, client: NewOauthClient): Promise<void> {
  await db.query({
    name: "insert_oauth_client",
    text: `insert into oauth_client (tenant_id, id, created_at, config_version, name, redirect_uris, scopes)
      values ($1, $2, to_timestamp($3::float8 / 1000), $4, $5, $6, $7)`,
    values: [
      client.tenantUuid,
      client.uuid,
      client.atMs,
      client.configVersion,
      client.name,
      client.redirectUris,
      client.scopes,
    ],
  });
}

/** Removes a program, by primary key. */
export async function deleteOauthClient(db: Executor, tenantUuid: string, uuid: string): Promise<void> {
  await db.query({
    name: "delete_oauth_client",
    text: "delete from oauth_client where tenant_id = $1 and id = $2",
    values: [tenantUuid, uuid],
  });
}
