// Bulk replays as people see them: start one, look at it, cancel it. Starting one stores it and nothing else: the owner of
// the webhook's lane works it off (job-runner.ts). Each start and cancellation is in the trail, in its own transaction.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { spanOf } from "../lib/id-bounds.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import type { DeliveryPlace } from "../storage/webhook-events.sql.ts";
import {
  cancelReplayJob,
  insertReplayJob,
  type ReplayJobRow,
  type ReplayWhich,
  selectReplayJob,
  selectReplayJobs,
} from "./jobs.sql.ts";
import { lockWebhook } from "./replay.sql.ts";
import { webhookObstacle } from "./webhook-obstacle.ts";

export interface ReplayJobsOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** There is a job to work off, here or on another node. Called after the commit. */
  readonly wake: () => void;
}

export interface ReplayJobQuery {
  readonly webhookUuid: string;
  /** Of the events, inclusive, milliseconds since 1970. */
  readonly fromMs: number;
  /** Exclusive; null: until now. */
  readonly toMs: number | null;
  readonly which: ReplayWhich;
  /** Event types and patterns; null: all. */
  readonly types: readonly string[] | null;
  /** Of what was owed: how it ended. */
  readonly states: readonly DeliveryPlace[] | null;
  readonly filter: string | null;
  readonly dryRun: boolean;
}

export type ReplayStarted =
  | { readonly kind: "started"; readonly job: ReplayJobRow }
  | { readonly kind: "no_webhook" }
  /** The webhook's status stands in the way; the message says what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

export type ReplayCancelled =
  | { readonly kind: "cancelled"; readonly job: ReplayJobRow }
  | { readonly kind: "absent" }
  | { readonly kind: "ended"; readonly state: string };

export class ReplayJobs {
  readonly #options: ReplayJobsOptions;

  constructor(options: ReplayJobsOptions) {
    this.#options = options;
  }

  async start(actor: Actor, query: ReplayJobQuery): Promise<ReplayStarted> {
    const { api, clock, newId, wake } = this.#options;
    const atMs = clock.nowMs();
    const span = spanOf(
      { fromMs: query.fromMs, toMs: query.toMs ?? atMs },
      "ffffffff-ffff-ffff-ffff-ffffffffffff",
      atMs,
    );
    const outcome = await asTenant(api, actor.tenantUuid, async (db): Promise<ReplayStarted> => {
      const { webhookUuid, dryRun } = query;
      const status = await lockWebhook(db, actor.tenantUuid, actor.livemode, webhookUuid);
      if (status === null) return { kind: "no_webhook" };
      const message = dryRun ? null : webhookObstacle(idFromUuid("webhook", webhookUuid), status);
      if (message !== null) return { kind: "not_possible", message };
      const job = await insertReplayJob(db, {
        tenantUuid: actor.tenantUuid,
        uuid: uuidFromBytes(newId()),
        webhookUuid,
        ...span,
        at: new Date(atMs).toISOString(),
        livemode: actor.livemode,
        dryRun,
        which: query.which,
        createdBy: actor.keyId,
        requestId: actor.requestId,
        filter: query.filter,
        types: query.types,
        states: query.states,
      });
      if (!dryRun) await this.#audit(db, actor, job, "replay.started", atMs);
      return { kind: "started", job };
    });
    if (outcome.kind === "started") wake();
    return outcome;
  }

  get(actor: Pick<Actor, "tenantUuid" | "livemode">, uuid: string): Promise<ReplayJobRow | null> {
    return asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectReplayJob(db, actor.tenantUuid, actor.livemode, uuid),
    );
  }

  /** Newest first. */
  list(
    actor: Pick<Actor, "tenantUuid" | "livemode">,
    webhookUuid: string | null,
    beforeUuid: string,
    limit: number,
  ): Promise<ReplayJobRow[]> {
    return asTenant(this.#options.api, actor.tenantUuid, (db) =>
      selectReplayJobs(db, actor.tenantUuid, actor.livemode, webhookUuid, beforeUuid, limit),
    );
  }

  /** Ends a running job. What it has made stays made: cancel those deliveries if they must not go out. */
  cancel(actor: Actor, uuid: string): Promise<ReplayCancelled> {
    const { api, clock } = this.#options;
    const atMs = clock.nowMs();
    return asTenant(api, actor.tenantUuid, async (db): Promise<ReplayCancelled> => {
      const { tenantUuid, livemode } = actor;
      const isCancelled = await cancelReplayJob(db, tenantUuid, livemode, uuid, new Date(atMs).toISOString());
      const job = await selectReplayJob(db, tenantUuid, livemode, uuid);
      if (job === null) return { kind: "absent" };
      if (!isCancelled) return { kind: "ended", state: job.state };
      if (!job.dry_run) await this.#audit(db, actor, job, "replay.cancelled", atMs);
      return { kind: "cancelled", job };
    });
  }

  async #audit(db: Executor, actor: Actor, job: ReplayJobRow, action: string, atMs: number): Promise<void> {
    const { which, types, states, filter, from_id: from, before_id: before } = job;
    const asked = { which, types, states, filter, from, before };
    const made = { state: { from: "running", to: "cancelled" }, replayed: { from: null, to: job.replayed_count } };
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action,
      objectType: "webhook",
      objectId: idFromUuid("webhook", job.webhook_id),
      requestId: actor.requestId,
      change: {
        replay: { from: null, to: idFromUuid("replay", job.id) },
        ...(action === "replay.started" ? { asked: { from: null, to: asked } } : made),
      },
    });
  }
}
