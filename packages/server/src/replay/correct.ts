// Corrects what no receiver took: one delivery goes on with another payload in the place of its event's, as the same
// delivery with the same `webhook-id`, so that a receiver which took it after all does not take it twice. The event stays
// what it was; the correction is a record of its own. Must never correct what may be on its way.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import { changedPaths } from "./changed-paths.ts";
import {
  type CorrectableRow,
  insertCorrection,
  makeHeldDueNow,
  selectCorrectable,
  selectLatestCorrection,
} from "./correct.sql.ts";
import { obstacleOf } from "./retry.ts";
import { lockWebhookOfDelivery, reviveDeadLetter, selectState } from "./retry.sql.ts";

export interface CorrectionsOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after the commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
}

export interface CorrectedPayload {
  /** JSON, as it was sent to us. */
  readonly data: Buffer;
  /** Null: the event's own stays. */
  readonly context: Buffer | null;
  readonly note: string | null;
}

export type Corrected =
  /** Now, or by the same call before. */
  | { readonly kind: "corrected"; readonly correctionUuid: string; readonly state: string }
  | { readonly kind: "absent" }
  /** The message says what stands in the way, and what to do. */
  | { readonly kind: "not_correctable"; readonly state: string; readonly message: string };

export class Corrections {
  readonly #options: CorrectionsOptions;

  constructor(options: CorrectionsOptions) {
    this.#options = options;
  }

  async correct(actor: Actor, deliveryUuid: string, payload: CorrectedPayload): Promise<Corrected> {
    const { tenantUuid } = actor;
    let woken: string | null = null;
    const outcome = await asTenant(this.#options.api, tenantUuid, async (db): Promise<Corrected> => {
      const webhook = await lockWebhookOfDelivery(db, tenantUuid, actor.livemode, deliveryUuid);
      const found = webhook === null ? null : await selectCorrectable(db, tenantUuid, deliveryUuid);
      if (webhook === null || found === null || (!found.is_dead && found.held_reason === null)) {
        return this.#correctedBefore(db, actor, deliveryUuid, payload);
      }
      const state = found.is_dead ? "dead_letter" : "held";
      const message = obstacleTo(found) ?? obstacleOf(webhook);
      if (message !== null) return { kind: "not_correctable", state, message };
      const at = new Date(this.#options.clock.nowMs()).toISOString();
      const isDue = found.is_dead
        ? await reviveDeadLetter(db, tenantUuid, deliveryUuid, at)
        : await makeHeldDueNow(db, tenantUuid, deliveryUuid, at);
      // Somebody else was quicker, this very moment.
      if (!isDue) return this.#correctedBefore(db, actor, deliveryUuid, payload);
      woken = webhook.webhook_id;
      return this.#store(db, actor, deliveryUuid, found, payload, at);
    });
    if (woken !== null) this.#options.wake([woken]);
    return outcome;
  }

  async #store(
    db: Executor,
    actor: Actor,
    deliveryUuid: string,
    found: CorrectableRow,
    payload: CorrectedPayload,
    at: string,
  ): Promise<Corrected> {
    const { newId } = this.#options;
    const uuid = uuidFromBytes(newId());
    const { data, context, note } = payload;
    const changed = [
      ...changedPaths(found.data.toString("utf8"), data.toString("utf8"), "/data"),
      ...(context === null
        ? []
        : changedPaths(found.context?.toString("utf8") ?? "null", context.toString("utf8"), "/context")),
    ];
    await insertCorrection(db, {
      tenantUuid: actor.tenantUuid,
      uuid,
      deliveryUuid,
      eventUuid: found.event_id,
      webhookUuid: found.webhook_id,
      retentionClass: found.retention_class,
      at,
      by: actor.keyId,
      requestId: actor.requestId,
      note,
      changed,
      data,
      context,
    });
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(newId()),
      atMs: Date.parse(at),
      actor: actor.keyId,
      action: "delivery.corrected",
      objectType: "delivery",
      objectId: idFromUuid("delivery", deliveryUuid),
      requestId: actor.requestId,
      change: {
        state: { from: found.is_dead ? "dead_letter" : "held", to: "pending" },
        correction: { from: null, to: idFromUuid("correction", uuid) },
        changed: { from: null, to: changed },
        note: { from: null, to: note },
      },
    });
    return { kind: "corrected", correctionUuid: uuid, state: "pending" };
  }

  /** A call whose answer was lost and that is repeated finds its own correction, whatever came of it since. */
  async #correctedBefore(
    db: Executor,
    { tenantUuid, livemode }: Actor,
    deliveryUuid: string,
    payload: CorrectedPayload,
  ): Promise<Corrected> {
    const state = await selectState(db, tenantUuid, livemode, deliveryUuid);
    if (state === null) return { kind: "absent" };
    const latest = await selectLatestCorrection(db, tenantUuid, deliveryUuid);
    if (latest !== null && latest.data.equals(payload.data) && isSame(latest.context, payload.context)) {
      return { kind: "corrected", correctionUuid: latest.id, state };
    }
    const message =
      state === "pending"
        ? "This delivery is pending: its payload may be on its way. Wait until it is held or a dead letter, or cancel it and publish a corrected event."
        : `This delivery is ${state}, which is its end. Publish a corrected event instead.`;
    return { kind: "not_correctable", state, message };
  }
}

function isSame(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}

function obstacleTo(found: CorrectableRow): string | null {
  if (found.is_erased) {
    return "The payload of this event was erased: nothing takes its place. Publish a new event instead.";
  }
  if (found.batch_id !== null) {
    return "This delivery is part of a batch, whose id stands for the bytes of all its members. Cancel it and publish a corrected event.";
  }
  return null;
}
