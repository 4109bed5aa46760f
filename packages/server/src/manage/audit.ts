// Reading the trail of changes. It is only ever added to, by the changes themselves.
import { type Id, idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { asTenant } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type AuditFilter, type AuditRow, selectAuditEntries } from "./audit.sql.ts";

export interface AuditEntryView {
  readonly id: Id<"audit">;
  readonly at: string;
  /** `key_…`, `node_…` or `operator`. */
  readonly actor: string;
  readonly action: string;
  readonly objectType: string;
  readonly objectId: string;
  readonly requestId: string | null;
  /** `{ field: { from, to } }`, secrets masked. */
  readonly change: unknown;
}

export class AuditTrail {
  readonly #api: pg.Pool;

  /** @param api API role, under row-level security */
  constructor(api: pg.Pool) {
    this.#api = api;
  }

  /** Entries below an id, newest first. */
  async list(actor: Actor, filter: AuditFilter, limit: number): Promise<AuditEntryView[]> {
    const rows = await asTenant(this.#api, actor.tenantUuid, (db) =>
      selectAuditEntries(db, actor.tenantUuid, filter, limit),
    );
    return rows.map(auditView);
  }
}

function auditView(row: AuditRow): AuditEntryView {
  return {
    id: idFromUuid("audit", row.id),
    at: row.at.toISOString(),
    actor: row.actor,
    action: row.action,
    objectType: row.object_type,
    objectId: row.object_id,
    requestId: row.request_id === "" ? null : row.request_id,
    change: row.change ?? {},
  };
}
