// Who and where, as administrators load, read and remove it. The platform's own events keep it current afterwards
// (maintain/organisation). Must never let a load overwrite what is newer.
import { idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import type { OrganisationKind } from "../storage/organisation.ts";
import { asTenant } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type Change, changeConfiguration, type ChangeOptions, entryBy, undo } from "./change.ts";
import { merge, type Merged, mergeWithStored, type OrganisationNews, storeMerged } from "./organisation-changes.ts";
import {
  confirmOrganisationEntries,
  type OrganisationRow,
  selectOrganisationEntries,
  selectOrganisationPage,
} from "./organisation.sql.ts";

export interface OrganisationTreeOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

export interface OrganisationLoaded {
  readonly changed: number;
  readonly unchanged: number;
  /** Newer states were known, and stay. */
  readonly older: number;
}

export class OrganisationTree {
  readonly #options: OrganisationTreeOptions;

  constructor(options: OrganisationTreeOptions) {
    this.#options = options;
  }

  /**
   * Adds and replaces; whoever is not named stays.
   * @param asOfMs when it was so; now unless given
   */
  async load(
    actor: Actor,
    entries: readonly Omit<OrganisationNews, "asOfMs">[],
    asOfMs = this.#options.clock.nowMs(),
  ): Promise<OrganisationLoaded> {
    const { tenantUuid } = actor;
    const news = entries.map((each) => ({ ...each, asOfMs }));
    const merged = await this.#change(actor, async ({ db, configVersion, audit }): Promise<Merged> => {
      const found = await mergeWithStored(db, tenantUuid, news);
      if (found.changed.length === 0) return undo(found);
      await storeMerged(db, tenantUuid, configVersion, found);
      const members = { entries: { from: null, to: found.changed.length } };
      await audit(entryBy(actor, "organisation.loaded", "organisation", idFromUuid("tenant", tenantUuid), members));
      return found;
    });
    // Nothing that anybody would decide by: no configuration version of its own.
    if (merged.changed.length === 0 && merged.confirmed.length > 0) {
      await asTenant(this.#options.api, tenantUuid, (db) =>
        confirmOrganisationEntries(db, tenantUuid, merged.confirmed),
      );
    }
    return { changed: merged.changed.length, unchanged: merged.confirmed.length, older: merged.olderCount };
  }

  /** From now on it is not known; false when it was not before. */
  async remove(actor: Actor, kind: OrganisationKind, id: string): Promise<boolean> {
    const { tenantUuid } = actor;
    return this.#change(actor, async ({ db, configVersion, atMs, audit }): Promise<boolean> => {
      const [present] = await selectOrganisationEntries(db, tenantUuid, [{ kind, id }]);
      if (present === undefined || present.is_removed) return undo(false);
      const asOfMs = Math.max(atMs, present.as_of.getTime());
      await storeMerged(db, tenantUuid, configVersion, merge([present], [{ kind, id, asOfMs, isRemoved: true }]));
      const members = { kind: { from: kind, to: null }, name: { from: present.name, to: null } };
      await audit(entryBy(actor, "organisation.removed", "organisation", id, members));
      return true;
    });
  }

  /** Entries of one kind after an id, by id. */
  async list(
    { tenantUuid }: Actor,
    kind: OrganisationKind,
    afterId: string,
    limit: number,
  ): Promise<OrganisationRow[]> {
    return asTenant(this.#options.api, tenantUuid, (db) =>
      selectOrganisationPage(db, tenantUuid, kind, afterId, limit),
    );
  }

  #change<Outcome>(actor: Actor, work: (change: Change) => Promise<Outcome>): Promise<Outcome> {
    return changeConfiguration(this.#options, (run) => asTenant(this.#options.api, actor.tenantUuid, run), work);
  }
}
