// One change of what the stages work by: a transaction that raises the configuration version first, writes its rows and
// its audit entries, and is answered after this node has read it. Must never leave a refused change half done.
import { uuidFromBytes } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Executor } from "../storage/pools.ts";
import { type AuditEntry, insertAuditEntries } from "./audit.sql.ts";
import { raiseConfigVersion } from "./webhooks.sql.ts";

export interface ChangeOptions {
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** Makes this node read the change; the answer waits for it (guarantee G15). */
  readonly onConfigurationChanged: (version: number) => Promise<void>;
}

/** What a change works with, inside its transaction. */
export interface Change {
  readonly db: Executor;
  readonly configVersion: number;
  /** Estimated database time, asked for under the lock, so that times and versions run in the same order. */
  readonly atMs: number;
  /** Sixteen bytes of a new UUIDv7 as PostgreSQL writes it. */
  readonly newUuid: () => string;
  readonly audit: (...entries: readonly NewAuditEntry[]) => Promise<void>;
}

export type NewAuditEntry = Omit<AuditEntry, "entryUuid" | "atMs">;

/** Who acts, for the trail of a tenant. */
export interface Attribution {
  readonly tenantUuid: string;
  /** `key_…`, `node_…` or `operator`. */
  readonly keyId: string;
  readonly requestId: string | null;
}

/** An entry of the trail; `members` are those that changed, old and new. */
export function entryBy(
  who: Attribution,
  action: string,
  objectType: AuditEntry["objectType"],
  objectId: string,
  members: Readonly<Record<string, unknown>>,
): NewAuditEntry {
  const { tenantUuid, keyId, requestId } = who;
  return { tenantUuid, actor: keyId, action, objectType, objectId, requestId, change: members };
}

/** Thrown by a change to roll everything back, the version too, and to hand an outcome out. */
class Undone extends Error {
  readonly outcome: unknown;

  constructor(outcome: unknown) {
    super("nothing was changed");
    this.outcome = outcome;
  }
}

/** Ends a change without a trace; `outcome` is what `changeConfiguration` then returns. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- callers say of which type it has to be
export function undo<Outcome>(outcome: Outcome): never {
  throw new Undone(outcome);
}

/**
 * Runs one change.
 * @param transaction opens a transaction of the right role, and of the right tenant
 */
export async function changeConfiguration<Outcome>(
  options: ChangeOptions,
  transaction: <Result>(work: (db: Executor) => Promise<Result>) => Promise<Result>,
  work: (change: Change) => Promise<Outcome>,
): Promise<Outcome> {
  let version = 0;
  let outcome: Outcome;
  try {
    outcome = await transaction(async (db) => {
      version = await raiseConfigVersion(db);
      return work(changeIn(db, version, options));
    });
  } catch (error) {
    if (error instanceof Undone) return error.outcome as Outcome;
    throw error;
  }
  // A node that cannot read the change now starts no attempt until it can, so the answer stands either way.
  await options.onConfigurationChanged(version).catch(() => undefined);
  return outcome;
}

/** A change inside a transaction that has raised the version already. */
export function changeIn(db: Executor, configVersion: number, options: Pick<ChangeOptions, "clock" | "newId">): Change {
  const atMs = options.clock.nowMs();
  const newUuid = (): string => uuidFromBytes(options.newId());
  return {
    db,
    configVersion,
    atMs,
    newUuid,
    audit: (...entries) =>
      insertAuditEntries(
        db,
        entries.map((entry) => ({ ...entry, entryUuid: newUuid(), atMs })),
      ),
  };
}

/** Members that were made, for the trail: from nothing. What was left out is left out. */
export function madeMembers(members: Readonly<Record<string, unknown>>): Record<string, { from: null; to: unknown }> {
  const made = Object.entries(members).filter(([, to]) => to !== null);
  return Object.fromEntries(made.map(([name, to]) => [name, { from: null, to }]));
}

/** Members that differ, old and new. */
export function changedMembers<Members extends object>(
  before: Members,
  after: Members,
): Record<string, { from: unknown; to: unknown }> {
  const members: Record<string, { from: unknown; to: unknown }> = {};
  for (const [name, to] of Object.entries(after)) {
    const from = (before as Record<string, unknown>)[name];
    if (JSON.stringify(from) !== JSON.stringify(to)) members[name] = { from, to };
  }
  return members;
}
