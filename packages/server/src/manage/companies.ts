// The companies of a tenant: what X-Company-Id and a key may name. Their ids are the platform's, or made here.
// Must never remove one that a usable key is bound to.
import { formatId, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { asTenant } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { selectKeysOfCompany } from "./api-keys.sql.ts";
import { type Change, changeConfiguration, entryBy, type ChangeOptions, madeMembers, undo } from "./change.ts";
import {
  type CompanyRow,
  deleteCompany,
  insertCompany,
  selectCompanies,
  selectCompany,
  updateCompany,
} from "./companies.sql.ts";

export interface CompaniesOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

export interface CompanyView {
  readonly id: string;
  readonly name: string;
  readonly createdAt: string;
}

export type CompanyWritten =
  | { readonly kind: "written"; readonly company: CompanyView }
  | { readonly kind: "absent" }
  /** The id is another company's. */
  | { readonly kind: "exists" };

export type CompanyRemoved =
  | { readonly kind: "removed" }
  | { readonly kind: "absent" }
  /** Usable keys are bound to it; some of them. */
  | { readonly kind: "in_use"; readonly keyIds: readonly string[] };

/** How many keys a refusal names. */
const NAMED_KEYS = 5;

export class Companies {
  readonly #options: CompaniesOptions;

  constructor(options: CompaniesOptions) {
    this.#options = options;
  }

  /** @param id as the platform calls it, `company_…`; undefined: one is made */
  async create(actor: Actor, name: string, id: string | undefined): Promise<CompanyWritten> {
    const companyId = id ?? formatId("company", this.#options.newId());
    return this.#change(actor, async (change): Promise<CompanyWritten> => {
      const { db, configVersion, atMs } = change;
      if ((await selectCompany(db, actor.tenantUuid, companyId)) !== null) undo<CompanyWritten>({ kind: "exists" });
      await insertCompany(db, { tenantUuid: actor.tenantUuid, id: companyId, name, atMs, configVersion });
      await change.audit(entryBy(actor, "company.created", "company", companyId, madeMembers({ name })));
      return { kind: "written", company: companyView({ id: companyId, name, created_at: new Date(atMs) }) };
    });
  }

  /** @param name undefined leaves it as it is */
  async rename(actor: Actor, companyId: string, name: string | undefined): Promise<CompanyWritten> {
    return this.#change(actor, async (change): Promise<CompanyWritten> => {
      const before = await selectCompany(change.db, actor.tenantUuid, companyId);
      if (before === null) return undo<CompanyWritten>({ kind: "absent" });
      if (name === undefined || name === before.name) {
        return undo<CompanyWritten>({ kind: "written", company: companyView(before) });
      }
      await updateCompany(change.db, actor.tenantUuid, companyId, name, change.configVersion);
      await change.audit(
        entryBy(actor, "company.updated", "company", companyId, { name: { from: before.name, to: name } }),
      );
      return { kind: "written", company: companyView({ ...before, name }) };
    });
  }

  /** Events that name it stay as they are; from now on X-Company-Id may not. */
  async remove(actor: Actor, companyId: string): Promise<CompanyRemoved> {
    return this.#change(actor, async (change): Promise<CompanyRemoved> => {
      const { db } = change;
      const before = await selectCompany(db, actor.tenantUuid, companyId);
      if (before === null) return undo<CompanyRemoved>({ kind: "absent" });
      const keys = await selectKeysOfCompany(db, actor.tenantUuid, companyId, NAMED_KEYS);
      const keyIds = keys.map((uuid) => idFromUuid("apiKey", uuid));
      if (keyIds.length > 0) undo<CompanyRemoved>({ kind: "in_use", keyIds });
      await deleteCompany(db, actor.tenantUuid, companyId);
      await change.audit(
        entryBy(actor, "company.deleted", "company", companyId, { name: { from: before.name, to: null } }),
      );
      return { kind: "removed" };
    });
  }

  async get(actor: Actor, companyId: string): Promise<CompanyView | null> {
    const row = await asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectCompany(db, actor.tenantUuid, companyId),
    );
    return row === null ? null : companyView(row);
  }

  /** Companies after an id, by id. */
  async list(actor: Actor, afterId: string, limit: number): Promise<CompanyView[]> {
    const rows = await asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectCompanies(db, actor.tenantUuid, afterId, limit),
    );
    return rows.map(companyView);
  }

  #change<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}

export function companyView(row: CompanyRow): CompanyView {
  return { id: row.id, name: row.name, createdAt: row.created_at.toISOString() };
}
