// Snapshots as people see them: begin one, give its records, say that there are no more, look at it, cancel it. Records are
// counted, so that whoever was cut off goes on where the count stands: what comes twice is stored once. Deliveries are made
// by the owner of the webhook's lane (snapshot-runner.ts).
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import { lockWebhook } from "./replay.sql.ts";
import {
  cancelSnapshot,
  completeSnapshot,
  insertSnapshot,
  insertSnapshotRecords,
  selectSnapshot,
  selectSnapshotByToken,
  selectSnapshots,
  type SnapshotRow,
} from "./snapshots.sql.ts";
import { webhookObstacle } from "./webhook-obstacle.ts";

export interface SnapshotsOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** The business number in a payload of this type. */
  readonly referenceOf: (eventType: string, data: Buffer) => string | null;
  /** There is something to deliver, here or on another node. Called after the commit. */
  readonly wake: () => void;
}

export interface SnapshotStart {
  readonly webhookUuid: string;
  readonly token: string;
  readonly eventType: string;
  readonly recordsPerSecond: number;
  readonly retentionClass: number;
}

export interface SnapshotRecord {
  /** The record's JSON, as it was sent to us. */
  readonly bytes: Buffer;
  readonly hasLongNumber: boolean;
}

export type SnapshotOutcome =
  | { readonly kind: "snapshot"; readonly snapshot: SnapshotRow }
  | { readonly kind: "absent" }
  /** The message says what stands in the way, and what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

type Reader = Pick<Actor, "tenantUuid" | "livemode">;

export class Snapshots {
  readonly #options: SnapshotsOptions;

  constructor(options: SnapshotsOptions) {
    this.#options = options;
  }

  /** Begins one, or gives back the one that was begun under this token. */
  start(actor: Actor, what: SnapshotStart): Promise<SnapshotOutcome> {
    const { api, clock, newId } = this.#options;
    const { tenantUuid, livemode } = actor;
    const atMs = clock.nowMs();
    return asTenant(api, tenantUuid, async (db): Promise<SnapshotOutcome> => {
      const { webhookUuid, token, eventType, recordsPerSecond, retentionClass } = what;
      const status = await lockWebhook(db, tenantUuid, livemode, webhookUuid);
      if (status === null) return { kind: "absent" };
      const before = await selectSnapshotByToken(db, tenantUuid, webhookUuid, token);
      if (before !== null) return sameOrNot(before, what);
      const message = status === "paused" ? null : webhookObstacle(idFromUuid("webhook", webhookUuid), status);
      if (message !== null) return { kind: "not_possible", message };
      const snapshot = await insertSnapshot(db, {
        tenantUuid,
        uuid: uuidFromBytes(newId()),
        webhookUuid,
        at: new Date(atMs).toISOString(),
        recordsPerSecond,
        retentionClass,
        livemode,
        eventType,
        token,
        createdBy: actor.keyId,
      });
      if (snapshot === null) {
        const taken = "This snapshot is being begun right now by somebody else. Repeat the call.";
        return { kind: "not_possible", message: taken };
      }
      await this.#audit(db, actor, snapshot, "snapshot.started", atMs);
      return { kind: "snapshot", snapshot };
    });
  }

  /**
   * Adds records.
   * @param offset how many came before the first of these; those that are stored already are passed over
   */
  async append(
    actor: Actor,
    uuid: string,
    offset: number,
    records: readonly SnapshotRecord[],
  ): Promise<SnapshotOutcome> {
    const { newId, referenceOf, wake } = this.#options;
    const outcome = await this.#changed(actor, uuid, async (db, snapshot): Promise<SnapshotOutcome> => {
      const received = snapshot.received_count;
      if (offset > received) {
        const message = `${received} records are here, so the next has the offset ${received}, not ${offset}. Go on there.`;
        return { kind: "not_possible", message };
      }
      const fresh = records.slice(received - offset);
      if (fresh.length === 0) return { kind: "snapshot", snapshot };
      const refusal = endOf(snapshot);
      if (refusal !== null) return { kind: "not_possible", message: refusal };
      const id = idFromUuid("snapshot", snapshot.id);
      const made = fresh.map(({ bytes, hasLongNumber }, index) => {
        const line = received + index + 1;
        const data = Buffer.concat([Buffer.from('{"object":'), bytes, Buffer.from("}")]);
        return {
          eventUuid: uuidFromBytes(newId()),
          line,
          hasLongNumber,
          reference: referenceOf(snapshot.event_type, data),
          data,
          context: Buffer.from(JSON.stringify({ source: "snapshot", snapshotId: id, line })),
        };
      });
      await insertSnapshotRecords(db, snapshot, made);
      return { kind: "snapshot", snapshot: { ...snapshot, received_count: received + made.length } };
    });
    if (outcome.kind === "snapshot") wake();
    return outcome;
  }

  /** There are no more records. Said again nothing changes. */
  async complete(actor: Actor, uuid: string): Promise<SnapshotOutcome> {
    const at = new Date(this.#options.clock.nowMs()).toISOString();
    const outcome = await this.#changed(actor, uuid, async (db, snapshot): Promise<SnapshotOutcome> => {
      if (snapshot.is_complete) return { kind: "snapshot", snapshot };
      const refusal = endOf(snapshot);
      if (refusal !== null) return { kind: "not_possible", message: refusal };
      await completeSnapshot(db, actor.tenantUuid, uuid, at);
      const after = await selectSnapshot(db, actor.tenantUuid, actor.livemode, uuid);
      return { kind: "snapshot", snapshot: after ?? snapshot };
    });
    if (outcome.kind === "snapshot") this.#options.wake();
    return outcome;
  }

  /** Ends one with what waits of it; deliveries that were made stay. Said again nothing changes. */
  cancel(actor: Actor, uuid: string): Promise<SnapshotOutcome> {
    const atMs = this.#options.clock.nowMs();
    return this.#changed(actor, uuid, async (db, snapshot): Promise<SnapshotOutcome> => {
      if (snapshot.state === "cancelled") return { kind: "snapshot", snapshot };
      if (snapshot.state !== "running") {
        return {
          kind: "not_possible",
          message: `This snapshot is ${snapshot.state}: only a running one is cancelled.`,
        };
      }
      await cancelSnapshot(db, actor.tenantUuid, uuid, new Date(atMs).toISOString());
      await this.#audit(db, actor, snapshot, "snapshot.cancelled", atMs);
      return { kind: "snapshot", snapshot: { ...snapshot, state: "cancelled", finished_at: new Date(atMs) } };
    });
  }

  get(reader: Reader, uuid: string): Promise<SnapshotRow | null> {
    return asTenant(this.#options.api, reader.tenantUuid, (db) =>
      selectSnapshot(db, reader.tenantUuid, reader.livemode, uuid),
    );
  }

  /** Newest first. */
  list(reader: Reader, webhookUuid: string | null, beforeUuid: string, limit: number): Promise<SnapshotRow[]> {
    return asTenant(this.#options.api, reader.tenantUuid, (db) =>
      selectSnapshots(db, reader.tenantUuid, reader.livemode, webhookUuid, beforeUuid, limit),
    );
  }

  #changed(
    actor: Actor,
    uuid: string,
    work: (db: Executor, snapshot: SnapshotRow) => Promise<SnapshotOutcome>,
  ): Promise<SnapshotOutcome> {
    return asTenant(this.#options.api, actor.tenantUuid, async (db) => {
      const snapshot = await selectSnapshot(db, actor.tenantUuid, actor.livemode, uuid, true);
      return snapshot === null ? { kind: "absent" } : work(db, snapshot);
    });
  }

  async #audit(db: Executor, actor: Actor, snapshot: SnapshotRow, action: string, atMs: number): Promise<void> {
    const { token, event_type: event, received_count: received, made_count: made } = snapshot;
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action,
      objectType: "webhook",
      objectId: idFromUuid("webhook", snapshot.webhook_id),
      requestId: actor.requestId,
      change: {
        snapshot: { from: null, to: idFromUuid("snapshot", snapshot.id) },
        asked: { from: null, to: { token, event } },
        counts: { from: null, to: { received, made } },
      },
    });
  }
}

function sameOrNot(before: SnapshotRow, { eventType }: SnapshotStart): SnapshotOutcome {
  if (before.event_type === eventType) return { kind: "snapshot", snapshot: before };
  const message = `A snapshot of ${before.event_type} was begun under this token. Choose another token for ${eventType}.`;
  return { kind: "not_possible", message };
}

/** Why no more records can be added; null where they can. */
function endOf(snapshot: SnapshotRow): string | null {
  if (snapshot.state !== "running") {
    return `This snapshot is ${snapshot.state}. Begin another one, under another token.`;
  }
  return snapshot.is_complete ? "This snapshot is complete: it was said that no more records come." : null;
}
