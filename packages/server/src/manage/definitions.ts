// Rules and code tables of a tenant: named, versioned, changed in one place for every webhook that uses them. Every change
// touches the tenant's row, so that all nodes read them again within two seconds (guarantee G15).
// Must never remove what something uses, and never leave an expression with a name that there is not.
import { type ErrorDetail, type Id, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { type DefinitionKind, usesOf } from "../expressions/uses.ts";
import { selectRoutesOfTenant } from "../storage/routes.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import {
  type Change,
  changeConfiguration,
  changedMembers,
  type ChangeOptions,
  entryBy,
  madeMembers,
  undo,
} from "./change.ts";
import { type DefinitionBodies, MAX_RULES } from "./definition-fields.ts";
import { type DefinitionNames, readDefinitionNames, usesIn, type UsingFields } from "./definition-uses.ts";
import {
  closeDefinitionVersion,
  type DefinitionRow,
  type DefinitionVersionRow,
  deleteDefinition,
  selectDefinition,
  selectDefinitions,
  selectDefinitionVersions,
  selectLatestVersion,
  selectWebhooksHolding,
  writeDefinition,
} from "./definitions.sql.ts";
import { touchTenant } from "./tenants.sql.ts";
import { matchesEtag } from "./webhook-change.ts";

export interface DefinitionsOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

/** Where something is used. */
export type DefinitionUser =
  | {
      readonly type: "webhook";
      readonly id: Id<"webhook">;
      readonly livemode: boolean;
      readonly fields: readonly string[];
    }
  | { readonly type: "rule"; readonly name: string }
  | { readonly type: "route"; readonly name: string; readonly livemode: boolean };

export interface FoundDefinition {
  readonly row: DefinitionRow;
  readonly usedBy: readonly DefinitionUser[];
  readonly etag: string;
}

type Refused =
  | { readonly kind: "absent" }
  /** `If-Match` named another state; `etag` is the one now. */
  | { readonly kind: "stale"; readonly etag: string };

export type DefinitionWritten =
  | ({ readonly kind: "written" } & FoundDefinition)
  | { readonly kind: "exists" }
  | { readonly kind: "too_many"; readonly limit: number }
  | { readonly kind: "invalid"; readonly details: readonly ErrorDetail[] }
  | Refused;

export type DefinitionRemoved =
  | { readonly kind: "removed" }
  | { readonly kind: "in_use"; readonly usedBy: readonly DefinitionUser[] }
  | Refused;

/** Members given; `null` takes one away. */
export type DefinitionFields = Readonly<Record<string, unknown>>;

/** The definitions of one kind. */
export class DefinitionStore {
  readonly #options: DefinitionsOptions;
  readonly #bodies: DefinitionBodies;

  constructor(options: DefinitionsOptions, bodies: DefinitionBodies) {
    this.#options = options;
    this.#bodies = bodies;
  }

  async create(actor: Actor, name: string, fields: DefinitionFields): Promise<DefinitionWritten> {
    const { kind, limit } = this.#bodies;
    return this.#change(actor, async (change): Promise<DefinitionWritten> => {
      const { db } = change;
      const names = await readDefinitionNames(db, actor.tenantUuid);
      if (names[kind].has(name)) return undo<DefinitionWritten>({ kind: "exists" });
      if (names[kind].size >= limit) return undo<DefinitionWritten>({ kind: "too_many", limit });
      const body = bodyAfter({}, fields);
      this.#refuse(body, names);
      const version = (await selectLatestVersion(db, actor.tenantUuid, kind, name)) + 1;
      const at = new Date(change.atMs);
      const stamp = { created_at: at, updated_at: at, config_version: change.configVersion };
      return this.#store(change, actor, { ...stamp, version, kind, name, body }, null);
    });
  }

  /** Replaces the members given. `ifMatch` is the header as sent; undefined accepts any state. */
  async change(
    actor: Actor,
    name: string,
    fields: DefinitionFields,
    ifMatch: string | undefined,
  ): Promise<DefinitionWritten> {
    return this.#change(actor, async (change): Promise<DefinitionWritten> => {
      const { db } = change;
      const before = await this.#current(db, actor, name, ifMatch);
      const body = bodyAfter(before.body, fields);
      this.#refuse(body, await readDefinitionNames(db, actor.tenantUuid));
      if (Object.keys(differences(before.body, body)).length === 0) {
        return undo<DefinitionWritten>({ kind: "written", ...(await this.#found(db, actor, before)) });
      }
      const version = before.version + 1;
      const stamp = { updated_at: new Date(change.atMs), config_version: change.configVersion };
      return this.#store(change, actor, { ...before, ...stamp, version, body }, before);
    });
  }

  /** Its versions stay: what was decided by it can still be told. */
  async remove(actor: Actor, name: string, ifMatch: string | undefined): Promise<DefinitionRemoved> {
    const { kind } = this.#bodies;
    return this.#change(actor, async (change): Promise<DefinitionRemoved> => {
      const { db, configVersion } = change;
      const before = await this.#current(db, actor, name, ifMatch);
      // Both modes: a sandbox webhook that loses its rule fails just as silently.
      const usedBy = (await usersOf(db, actor.tenantUuid, kind, name)).get(name) ?? [];
      if (usedBy.length > 0) return undo<DefinitionRemoved>({ kind: "in_use", usedBy });
      await closeDefinitionVersion(db, actor.tenantUuid, kind, name, configVersion);
      await deleteDefinition(db, actor.tenantUuid, kind, name);
      await touchTenant(db, actor.tenantUuid, configVersion);
      const members = differences(this.#bodies.audited(before.body), {});
      await change.audit(
        entryBy(actor, `${kind}.deleted`, kind, name, { ...members, version: { from: before.version, to: null } }),
      );
      return { kind: "removed" };
    });
  }

  async get(actor: Actor, name: string): Promise<FoundDefinition | null> {
    return asTenant(this.#options.api, actor.tenantUuid, async (db) => {
      const row = await selectDefinition(db, actor.tenantUuid, this.#bodies.kind, name);
      return row === null ? null : this.#found(db, actor, row);
    });
  }

  /** Definitions after a name, by name. */
  async list(actor: Actor, afterName: string, limit: number): Promise<FoundDefinition[]> {
    const { kind } = this.#bodies;
    return asTenant(this.#options.api, actor.tenantUuid, async (db) => {
      const rows = await selectDefinitions(db, actor.tenantUuid, kind, afterName, limit);
      if (rows.length === 0) return [];
      const users = await usersOf(db, actor.tenantUuid, kind, null);
      return rows.map((row) => foundOf(row, users.get(row.name) ?? [], actor));
    });
  }

  /** Versions below a number, newest first, of one that was removed too; null when the name never was. */
  async versions(
    actor: Actor,
    name: string,
    beforeVersion: number,
    limit: number,
  ): Promise<DefinitionVersionRow[] | null> {
    const { tenantUuid } = actor;
    return asTenant(this.#options.api, tenantUuid, async (db) => {
      const rows = await selectDefinitionVersions(db, tenantUuid, this.#bodies.kind, name, beforeVersion, limit);
      const never = rows.length === 0 && (await selectLatestVersion(db, tenantUuid, this.#bodies.kind, name)) === 0;
      return never ? null : rows;
    });
  }

  #refuse(body: Readonly<Record<string, unknown>>, names: DefinitionNames): void {
    const details = this.#bodies.problemsOf(body, names);
    if (details.length > 0) undo<DefinitionWritten>({ kind: "invalid", details });
  }

  async #store(
    change: Change,
    actor: Actor,
    row: DefinitionRow,
    before: DefinitionRow | null,
  ): Promise<DefinitionWritten> {
    const { db, configVersion } = change;
    const { kind, audited } = this.#bodies;
    await writeDefinition(db, actor.tenantUuid, row, actor.keyId);
    await touchTenant(db, actor.tenantUuid, configVersion);
    const members = audited(row.body);
    const changed = before === null ? madeMembers(members) : differences(audited(before.body), members);
    const version = { from: before?.version ?? null, to: row.version };
    const action = before === null ? `${kind}.created` : `${kind}.updated`;
    await change.audit(entryBy(actor, action, kind, row.name, { ...changed, version }));
    return { kind: "written", ...(await this.#found(db, actor, row)) };
  }

  async #found(db: Executor, actor: Actor, row: DefinitionRow): Promise<FoundDefinition> {
    const users = await usersOf(db, actor.tenantUuid, this.#bodies.kind, row.name);
    return foundOf(row, users.get(row.name) ?? [], actor);
  }

  async #current(db: Executor, actor: Actor, name: string, ifMatch: string | undefined): Promise<DefinitionRow> {
    const row = await selectDefinition(db, actor.tenantUuid, this.#bodies.kind, name);
    if (row === null) return undo<Refused>({ kind: "absent" });
    const etag = etagOf(row);
    if (!matchesEtag(ifMatch, etag)) return undo<Refused>({ kind: "stale", etag });
    return row;
  }

  #change<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}

/** Webhooks of the other mode are nobody's business: live and sandbox do not see each other. */
function foundOf(row: DefinitionRow, users: readonly DefinitionUser[], { livemode }: Actor): FoundDefinition {
  const usedBy = users.filter((user) => user.type === "rule" || user.livemode === livemode);
  return { row, usedBy, etag: etagOf(row) };
}

function etagOf({ version, config_version }: DefinitionRow): string {
  return `"${version}-${config_version}"`;
}

function bodyAfter(before: Readonly<Record<string, unknown>>, fields: DefinitionFields): Record<string, unknown> {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const after = { ...before, ...Object.fromEntries(given) };
  return Object.fromEntries(Object.entries(after).filter(([, value]) => value !== null));
}

/** Members that differ; one that is gone became null. */
function differences(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>) {
  const gone = Object.fromEntries(Object.keys(before).map((name) => [name, null]));
  return changedMembers<Record<string, unknown>>(before, { ...gone, ...after });
}

/** @param name null for all of a kind */
async function usersOf(
  db: Executor,
  tenantUuid: string,
  kind: DefinitionKind,
  name: string | null,
): Promise<ReadonlyMap<string, readonly DefinitionUser[]>> {
  const users = new Map<string, DefinitionUser[]>();
  const add = (used: string, user: DefinitionUser): void => {
    const known = users.get(used);
    if (known === undefined) users.set(used, [user]);
    else known.push(user);
  };
  const word = kind === "rule" ? "rule" : "lookup";
  for (const { id, livemode, configuration } of await selectWebhooksHolding(db, tenantUuid, name ?? word)) {
    const uses = usesIn(configuration as UsingFields).filter((use) => use.kind === kind);
    for (const used of new Set(uses.map((use) => use.name))) {
      const fields = [...new Set(uses.filter((use) => use.name === used).map((use) => use.field))];
      add(used, { type: "webhook", id: idFromUuid("webhook", id), livemode, fields });
    }
  }
  for (const route of await selectRoutesOfTenant(db, tenantUuid)) {
    const uses = route.body.steps.flatMap(({ when }) => usesOf(when)).filter((use) => use.kind === kind);
    for (const used of new Set(uses.map((use) => use.name))) {
      add(used, { type: "route", name: route.name, livemode: route.livemode });
    }
  }
  if (kind === "rule") return users;
  for (const rule of await selectDefinitions(db, tenantUuid, "rule", "", MAX_RULES)) {
    const uses = usesOf(String(rule.body["expression"])).filter((use) => use.kind === kind);
    for (const used of new Set(uses.map((use) => use.name))) add(used, { type: "rule", name: rule.name });
  }
  return users;
}
