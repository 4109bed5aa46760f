// Retry: a delivery that is pending, held or a dead letter is tried now. The same delivery goes on, so its receivers
// see the same ids; must never touch one that was delivered or cancelled.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import {
  lockWebhookOfDelivery,
  makeDueNow,
  reviveDeadLetter,
  selectState,
  type WebhookOfDelivery,
} from "./retry.sql.ts";
import { webhookObstacle } from "./webhook-obstacle.ts";

export interface RetriesOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after the commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
}

export type Retried =
  | { readonly kind: "retried"; readonly dueAt: string }
  | { readonly kind: "absent" }
  | { readonly kind: "not_retryable"; readonly state: string }
  /** The webhook's status stands in the way; the message says what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

/** A delivery can change between two looks, but not for ever: each change back needs another person's retry. */
const LOOKS = 3;

export class Retries {
  readonly #options: RetriesOptions;

  constructor(options: RetriesOptions) {
    this.#options = options;
  }

  async retry(actor: Actor, deliveryUuid: string): Promise<Retried> {
    const dueAt = new Date(this.#options.clock.nowMs()).toISOString();
    let woken: string | null = null;
    const outcome = await asTenant(this.#options.api, actor.tenantUuid, async (db): Promise<Retried> => {
      for (let look = 0; look < LOOKS; look += 1) {
        const webhook = await lockWebhookOfDelivery(db, actor.tenantUuid, actor.livemode, deliveryUuid);
        if (webhook !== null) {
          const obstacle = obstacleOf(webhook);
          if (obstacle !== null) return { kind: "not_possible", message: obstacle };
          const from = await this.#makePending(db, actor, deliveryUuid, dueAt);
          if (from !== null) {
            await this.#audit(db, actor, deliveryUuid, from, dueAt);
            woken = webhook.webhook_id;
            return { kind: "retried", dueAt };
          }
        }
        const state = await selectState(db, actor.tenantUuid, actor.livemode, deliveryUuid);
        if (state === null) return { kind: "absent" };
        if (state !== "pending" && state !== "dead_letter") return { kind: "not_retryable", state };
      }
      return { kind: "not_possible", message: "The delivery is changing right now. Read it again, then repeat." };
    });
    if (woken !== null) this.#options.wake([woken]);
    return outcome;
  }

  /** @returns what it was before, or null when it is neither any more */
  async #makePending(db: Executor, actor: Actor, deliveryUuid: string, dueAt: string): Promise<string | null> {
    if (await makeDueNow(db, actor.tenantUuid, deliveryUuid, dueAt)) return "pending";
    return (await reviveDeadLetter(db, actor.tenantUuid, deliveryUuid, dueAt)) ? "dead_letter" : null;
  }

  async #audit(db: Executor, actor: Actor, deliveryUuid: string, from: string, dueAt: string): Promise<void> {
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs: Date.parse(dueAt),
      actor: actor.keyId,
      action: "delivery.retried",
      objectType: "delivery",
      objectId: idFromUuid("delivery", deliveryUuid),
      requestId: actor.requestId,
      change: { state: { from, to: "pending" }, nextAttemptAt: { from: null, to: dueAt } },
    });
  }
}

/** A delivery that is held for itself may be let go while its webhook is paused: it then waits with the others. */
export function obstacleOf({ webhook_id: webhookUuid, status, is_held: isHeld }: WebhookOfDelivery): string | null {
  if (isHeld && status === "paused") return null;
  return webhookObstacle(idFromUuid("webhook", webhookUuid), status);
}
