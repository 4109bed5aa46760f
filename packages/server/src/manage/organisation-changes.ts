// What news of the organisation change: the newer word counts, whichever comes first. Used by loads and by what follows the
// platform's events. Must never let an older state overwrite a newer one.
import type { OrganisationKind } from "../storage/organisation.ts";
import type { Executor } from "../storage/pools.ts";
import {
  confirmOrganisationEntries,
  type OrganisationRow,
  replaceOrganisationEntries,
  selectOrganisationEntries,
} from "./organisation.sql.ts";

/** News of one of them. Members left out stay what they were. */
export interface OrganisationNews {
  readonly kind: OrganisationKind;
  readonly id: string;
  readonly asOfMs: number;
  readonly isRemoved?: boolean;
  readonly name?: string | null | undefined;
  readonly parentId?: string | null | undefined;
  readonly departments?: readonly string[] | undefined;
  readonly teams?: readonly string[] | undefined;
}

export interface Merged {
  readonly changed: readonly OrganisationRow[];
  /** The same as before, at a later time. */
  readonly confirmed: readonly OrganisationRow[];
  /** How many were older than what is known. */
  readonly olderCount: number;
}

const keyOf = ({ kind, id }: Pick<OrganisationRow, "kind" | "id">): string => `${kind} ${id}`;

/** @param present what is known now */
export function merge(present: readonly OrganisationRow[], news: readonly OrganisationNews[]): Merged {
  const before = new Map(present.map((row) => [keyOf(row), row]));
  const after = new Map<string, OrganisationRow>();
  let olderCount = 0;
  for (const each of news.toSorted((a, b) => a.asOfMs - b.asOfMs)) {
    const known = after.get(keyOf(each)) ?? before.get(keyOf(each));
    if (known !== undefined && known.as_of.getTime() > each.asOfMs) olderCount += 1;
    else after.set(keyOf(each), rowAfter(known, each));
  }
  const rows = [...after.values()];
  const isChanged = (row: OrganisationRow): boolean => stateOf(row) !== stateOf(before.get(keyOf(row)));
  return { changed: rows.filter(isChanged), confirmed: rows.filter((row) => !isChanged(row)), olderCount };
}

function rowAfter(known: OrganisationRow | undefined, news: OrganisationNews): OrganisationRow {
  const { kind, id, asOfMs, isRemoved = false, name, parentId, departments, teams } = news;
  return {
    as_of: new Date(asOfMs),
    is_removed: isRemoved,
    kind,
    id,
    name: name === undefined ? (known?.name ?? null) : name,
    parent_id: parentId === undefined ? (known?.parent_id ?? null) : parentId,
    departments: departments === undefined ? (known?.departments ?? []) : [...new Set(departments)],
    teams: teams === undefined ? (known?.teams ?? []) : [...new Set(teams)],
  };
}

/** Everything but the time. */
function stateOf(row: OrganisationRow | undefined): string {
  if (row === undefined) return "";
  const { is_removed: isRemoved, name, parent_id: parentId, departments, teams } = row;
  return JSON.stringify([isRemoved, name, parentId, departments, teams]);
}

/** What news would change now. */
export async function mergeWithStored(
  db: Executor,
  tenantUuid: string,
  news: readonly OrganisationNews[],
): Promise<Merged> {
  return merge(await selectOrganisationEntries(db, tenantUuid, news), news);
}

/** Writes what changed, under a configuration version that was raised. */
export async function storeMerged(
  db: Executor,
  tenantUuid: string,
  configVersion: number,
  { changed, confirmed }: Merged,
): Promise<void> {
  if (changed.length > 0) await replaceOrganisationEntries(db, tenantUuid, configVersion, changed);
  if (confirmed.length > 0) await confirmOrganisationEntries(db, tenantUuid, confirmed);
}
