// The programs of third parties that may ask for access to a tenant (OAuth clients): public ones, that prove themselves
// by PKCE and keep no secret. Must never let a program be sent to an address that was not registered for it.
import { formatId, type Id, idFromUuid, uuidFromId } from "@posthorn/contract";
import type pg from "pg";
import { asTenant, inTransaction } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type Change, changeConfiguration, type ChangeOptions, entryBy, madeMembers, undo } from "./change.ts";
import {
  deleteOauthClient,
  insertOauthClient,
  nameOauthClient,
  type OauthClientRow,
  selectNamedOauthClient,
  selectOauthClient,
  selectOauthClients,
} from "./oauth-clients.sql.ts";
import { revokeGrants } from "./oauth-grants.sql.ts";

export interface OauthClientsOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

export interface OauthClientView {
  readonly id: Id<"oauthClient">;
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
  readonly createdAt: string;
}

/** A program and whose it is. */
export interface KnownClient extends OauthClientView {
  readonly tenantUuid: string;
}

export interface OauthClientFields {
  readonly name: string;
  readonly redirectUris: readonly string[];
  readonly scopes: readonly string[];
}

export class OauthClients {
  readonly #options: OauthClientsOptions;

  constructor(options: OauthClientsOptions) {
    this.#options = options;
  }

  async create(actor: Actor, fields: OauthClientFields): Promise<OauthClientView> {
    const bytes = this.#options.newId();
    const id = formatId("oauthClient", bytes);
    const members = { ...fields, scopes: [...new Set(fields.scopes)] };
    return this.#change(actor, async (change) => {
      const { db, configVersion, atMs } = change;
      const uuid = uuidFromId("oauthClient", id);
      await insertOauthClient(db, { tenantUuid: actor.tenantUuid, uuid, atMs, configVersion, ...members });
      await change.audit(entryBy(actor, "oauth_client.created", "oauth_client", id, madeMembers(members)));
      return { id, ...members, createdAt: new Date(atMs).toISOString() };
    });
  }

  /**
   * Removes a program; whatever it was allowed to do ends at once.
   * @returns how many grants ended; null when there is no such program
   */
  async remove(actor: Actor, uuid: string): Promise<number | null> {
    return this.#change(actor, async (change): Promise<number | null> => {
      const { db, atMs, configVersion } = change;
      const before = await selectOauthClient(db, actor.tenantUuid, uuid);
      if (before === null) return undo<null>(null);
      const ended = await revokeGrants(db, actor.tenantUuid, { clientUuid: uuid }, atMs, configVersion);
      await deleteOauthClient(db, actor.tenantUuid, uuid);
      await change.audit(
        entryBy(actor, "oauth_client.deleted", "oauth_client", idFromUuid("oauthClient", uuid), {
          name: { from: before.name, to: null },
          endedGrants: ended.length,
        }),
      );
      return ended.length;
    });
  }

  async get(actor: Actor, uuid: string): Promise<OauthClientView | null> {
    const { tenantUuid } = actor;
    const row = await asTenant(this.#options.api, tenantUuid, (db) => selectOauthClient(db, tenantUuid, uuid));
    return row === null ? null : viewOf(row);
  }

  /** Programs below an id, newest first. */
  async list(actor: Actor, beforeUuid: string, limit: number): Promise<OauthClientView[]> {
    const { tenantUuid } = actor;
    const rows = await asTenant(this.#options.api, tenantUuid, (db) =>
      selectOauthClients(db, tenantUuid, beforeUuid, limit),
    );
    return rows.map(viewOf);
  }

  /** The program of a public id, of whichever tenant: for the consent page, where nobody has shown a key yet. */
  async find(uuid: string): Promise<KnownClient | null> {
    const row = await inTransaction(this.#options.api, async (db) => {
      await nameOauthClient(db, uuid);
      return selectNamedOauthClient(db, uuid);
    });
    return row === null ? null : { ...viewOf(row), tenantUuid: row.tenant_id };
  }

  #change<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}

function viewOf(row: OauthClientRow): OauthClientView {
  return {
    id: idFromUuid("oauthClient", row.id),
    name: row.name,
    redirectUris: row.redirect_uris,
    scopes: row.scopes,
    createdAt: row.created_at.toISOString(),
  };
}
