// Routes of a tenant: ordered lists of *when → webhooks*, named, versioned, changed as a whole. Every change touches the
// tenant's row, so that all nodes read them again within two seconds (guarantee G15).
// Must never name a webhook that there is not, nor a rule.
import { type ErrorDetail, idFromUuid, parseId, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import { compileExpression } from "../expressions/compile.ts";
import { usesOf } from "../expressions/uses.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { RouteBody } from "../storage/routes.ts";
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
import { readDefinitionNames, undefinedUses } from "./definition-uses.ts";
import {
  closeRoute,
  countRoutes,
  insertRoute,
  type RoutePlace,
  type RouteVersionRow,
  selectRoute,
  selectRoutes,
  selectRouteVersions,
  selectWebhooksCalled,
} from "./routes.sql.ts";
import { touchTenant } from "./tenants.sql.ts";
import { matchesEtag } from "./webhook-change.ts";

export interface RouteStoreOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

/** In each mode: all of them are in the memory of every node that serves the tenant. */
export const MAX_ROUTES = 100;

export interface FoundRoute {
  readonly row: RouteVersionRow;
  readonly etag: string;
}

type Stale = { readonly kind: "stale"; readonly etag: string | null };

export type RouteWritten =
  | ({ readonly kind: "written" } & FoundRoute)
  | Stale
  | { readonly kind: "invalid"; readonly details: readonly ErrorDetail[] }
  | { readonly kind: "too_many"; readonly limit: number };

export type RouteRemoved = { readonly kind: "removed" } | { readonly kind: "absent" } | Stale;

export class RouteStore {
  readonly #options: RouteStoreOptions;

  constructor(options: RouteStoreOptions) {
    this.#options = options;
  }

  /** Makes one, or replaces the whole of it. `ifMatch` is the header as sent; undefined accepts any state. */
  async put(actor: Actor, name: string, given: RouteBody, ifMatch: string | undefined): Promise<RouteWritten> {
    return this.#change(actor, async (change): Promise<RouteWritten> => {
      const { db, configVersion, atMs, audit } = change;
      const before = await selectRoute(db, actor, name);
      const etag = before === null ? null : etagOf(before);
      if (!matchesEtag(ifMatch, etag ?? "")) return undo<RouteWritten>({ kind: "stale", etag });
      const { body, details } = await checkedBody(db, actor, given);
      if (details.length > 0) return undo<RouteWritten>({ kind: "invalid", details });
      if (before !== null && JSON.stringify(before.body) === JSON.stringify(body)) {
        return undo<RouteWritten>({ kind: "written", row: before, etag: etagOf(before) });
      }
      if (before === null && (await countRoutes(db, actor)) >= MAX_ROUTES) {
        return undo<RouteWritten>({ kind: "too_many", limit: MAX_ROUTES });
      }
      if (before !== null) await closeRoute(db, actor, name, configVersion);
      const row = await insertRoute(db, actor, { name, createdBy: actor.keyId, atMs, configVersion, body });
      await touchTenant(db, actor.tenantUuid, configVersion);
      const members = before === null ? madeMembers({ ...body }) : changedMembers<object>(before.body, body);
      const action = before === null ? "route.created" : "route.updated";
      const version = { from: before?.version ?? null, to: row.version };
      await audit(entryBy(actor, action, "route", name, { ...members, version }));
      return { kind: "written", row, etag: etagOf(row) };
    });
  }

  /** Its versions stay: what was given by it can still be told. */
  async remove(actor: Actor, name: string, ifMatch: string | undefined): Promise<RouteRemoved> {
    return this.#change(actor, async ({ db, configVersion, audit }): Promise<RouteRemoved> => {
      const before = await selectRoute(db, actor, name);
      if (before === null) return undo<RouteRemoved>({ kind: "absent" });
      const etag = etagOf(before);
      if (!matchesEtag(ifMatch, etag)) return undo<RouteRemoved>({ kind: "stale", etag });
      await closeRoute(db, actor, name, configVersion);
      await touchTenant(db, actor.tenantUuid, configVersion);
      await audit(entryBy(actor, "route.deleted", "route", name, { version: { from: before.version, to: null } }));
      return { kind: "removed" };
    });
  }

  async get(actor: Actor, name: string): Promise<FoundRoute | null> {
    const row = await asTenant(this.#options.api, actor.tenantUuid, (db) => selectRoute(db, actor, name));
    return row === null ? null : { row, etag: etagOf(row) };
  }

  /** Routes after a name, by name. */
  async list(actor: Actor, afterName: string, limit: number): Promise<RouteVersionRow[]> {
    return asTenant(this.#options.api, actor.tenantUuid, (db) => selectRoutes(db, actor, afterName, limit));
  }

  /** Versions below a number, newest first; of a deleted one too. */
  async versions(actor: Actor, name: string, beforeVersion: number, limit: number): Promise<RouteVersionRow[]> {
    return asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectRouteVersions(db, actor, name, beforeVersion, limit),
    );
  }

  #change<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}

function etagOf({ version, from_config_version: configVersion }: RouteVersionRow): string {
  return `"${version}-${configVersion}"`;
}

interface Checked {
  readonly body: RouteBody;
  readonly details: readonly ErrorDetail[];
}

async function checkedBody(db: Executor, place: RoutePlace, given: RouteBody): Promise<Checked> {
  const names = await readDefinitionNames(db, place.tenantUuid);
  const wrong = given.steps.flatMap(({ when }, index): ErrorDetail[] => {
    const field = `steps[${index}].when`;
    const compiled = compileExpression(when);
    if (compiled.ok) {
      const uses = usesOf(when).map((use) => ({ ...use, field }));
      return undefinedUses(uses, names);
    }
    const { code: reason, message, position, hint } = compiled.error;
    const text = hint === undefined ? message : `${message} ${hint}`;
    return [{ field, message: text, code: "INVALID_EXPRESSION", reason, position }];
  });
  const called = await webhooksCalled(db, place, given);
  return { body: called.body, details: [...wrong, ...called.details] };
}

/** A route with its webhooks by id, whichever way they were called. */
async function webhooksCalled(db: Executor, place: RoutePlace, route: RouteBody): Promise<Checked> {
  const calls = [...route.steps.flatMap((step) => step.webhooks), ...route.default];
  const uuids = calls.map((call) => parseId("webhook", call)).filter((bytes) => bytes !== null);
  const rows = await selectWebhooksCalled(
    db,
    place,
    uuids.map((bytes) => uuidFromBytes(bytes)),
    calls,
  );
  const known = rows.map((row) => ({ id: idFromUuid("webhook", row.id) as string, name: row.name }));
  const details: ErrorDetail[] = [];
  const idsOf = (list: readonly string[], field: string): string[] =>
    list.map((call, index) => {
      const byId = known.filter((each) => each.id === call);
      const found = byId.length > 0 ? byId : known.filter((each) => each.name === call);
      const [only] = found;
      if (only !== undefined && found.length === 1) return only.id;
      const shown = JSON.stringify(call.slice(0, 80));
      const message =
        only === undefined
          ? `There is no webhook ${shown}. Give the id or the name of one of this mode.`
          : `${found.length} webhooks are called ${shown}. Give the id.`;
      const code = only === undefined ? "UNKNOWN_WEBHOOK" : "INVALID_VALUE";
      details.push({ field: `${field}[${index}]`, message, code });
      return call;
    });
  const steps = route.steps.map((step, index) => ({
    ...step,
    webhooks: idsOf(step.webhooks, `steps[${index}].webhooks`),
  }));
  return { body: { ...route, steps, default: idsOf(route.default, "default") }, details };
}
