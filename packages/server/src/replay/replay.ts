// Replay: new deliveries of a recorded event, with the webhook's current configuration and the same webhook-id.
// To a webhook that is named without asking its filters; else to all that match now. Must never change the event.
import { type Id, idFromUuid, parseId, SENDER_ID_PATTERN, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import type { Webhook } from "../storage/configuration.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import { eventOf, type EventToMatch, type OrderingKeyOf } from "./ordering.ts";
import {
  insertReplays,
  lockWebhook,
  type ReplayedEventRow,
  selectEventToReplay,
  selectEventToReplayBySenderId,
} from "./replay.sql.ts";
import { webhookObstacle } from "./webhook-obstacle.ts";

/** An event as routing takes it. */
export interface EventToRoute extends EventToMatch {
  readonly tenantUuid: string;
}

export interface ReplaysOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7 of this moment: a replayed delivery carries its own time, not its event's. */
  readonly newId: () => Uint8Array;
  /** UUIDs of the webhooks that would hear of the event by the configuration in force. */
  readonly routeAgain: (event: EventToRoute) => Promise<readonly string[]>;
  readonly findWebhook: (tenantUuid: string, webhookUuid: string) => Promise<Webhook | null>;
  readonly orderingKeyOf: OrderingKeyOf;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after the commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
}

export interface ReplayedDelivery {
  readonly id: Id<"delivery">;
  readonly webhookId: Id<"webhook">;
  readonly state: "pending";
}

export type Replayed =
  | { readonly kind: "replayed"; readonly event: ReplayedEventRow; readonly deliveries: readonly ReplayedDelivery[] }
  | { readonly kind: "no_event" }
  | { readonly kind: "no_webhook" }
  /** Erased, or the webhook is not enabled; the message says what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

export class Replays {
  readonly #options: ReplaysOptions;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /**
   * @param eventId `evt_…` or the sender's own id
   * @param webhookId `webhook_…`, or null to route again
   */
  async replay(actor: Actor, eventId: string, webhookId: string | null): Promise<Replayed> {
    const { api } = this.#options;
    const event = await asTenant(api, actor.tenantUuid, (db) => findEvent(db, actor, eventId));
    if (event === null) return { kind: "no_event" };
    if (event.erased_at !== null) {
      return { kind: "not_possible", message: "The payload of this event was erased, so there is nothing to deliver." };
    }
    const named = webhookId === null ? null : parseId("webhook", webhookId);
    if (webhookId !== null && named === null) return { kind: "no_webhook" };
    // Routing may read configuration: not while a connection of the API is held in a transaction.
    const targets =
      named === null
        ? await this.#options.routeAgain({ tenantUuid: actor.tenantUuid, ...eventOf(event) })
        : [uuidFromBytes(named)];
    const ordered = await Promise.all(
      targets.map(async (webhookUuid) => {
        const webhook = await this.#options.findWebhook(actor.tenantUuid, webhookUuid);
        const orderingKey =
          webhook === null ? null : this.#options.orderingKeyOf(webhook, eventOf(event), event.ordering_key);
        return { webhookUuid, orderingKey };
      }),
    );
    const outcome = await asTenant(api, actor.tenantUuid, (db) =>
      this.#insert(db, actor, event, ordered, named !== null),
    );
    if (outcome.kind === "replayed" && outcome.woken.length > 0) this.#options.wake(outcome.woken);
    return outcome;
  }

  async #insert(
    db: Executor,
    actor: Actor,
    event: ReplayedEventRow,
    targets: readonly { readonly webhookUuid: string; readonly orderingKey: string | null }[],
    isNamed: boolean,
  ): Promise<Exclude<Replayed, { kind: "replayed" }> | (Replayed & { kind: "replayed"; woken: readonly string[] })> {
    if (isNamed) {
      const target = targets[0]?.webhookUuid as string;
      const status = await lockWebhook(db, actor.tenantUuid, actor.livemode, target);
      if (status === null) return { kind: "no_webhook" };
      const obstacle = webhookObstacle(idFromUuid("webhook", target), status);
      if (obstacle !== null) return { kind: "not_possible", message: obstacle };
    }
    const atMs = this.#options.clock.nowMs();
    const wanted = targets.map((target) => ({ ...target, uuid: uuidFromBytes(this.#options.newId()) }));
    const rows = await insertReplays(db, actor.tenantUuid, event, wanted, new Date(atMs).toISOString());
    const deliveries = rows.map((row) => ({
      id: idFromUuid("delivery", row.id),
      webhookId: idFromUuid("webhook", row.webhook_id),
      state: "pending" as const,
    }));
    await this.#audit(db, actor, event, deliveries, atMs);
    return { kind: "replayed", event, deliveries, woken: rows.map((row) => row.webhook_id) };
  }

  async #audit(
    db: Executor,
    actor: Actor,
    event: ReplayedEventRow,
    deliveries: readonly ReplayedDelivery[],
    atMs: number,
  ): Promise<void> {
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs,
      actor: actor.keyId,
      action: "event.replayed",
      objectType: "event",
      objectId: idFromUuid("event", event.id),
      requestId: actor.requestId,
      change: { deliveries: { from: null, to: deliveries.map(({ id, webhookId }) => ({ id, webhookId })) } },
    });
  }
}

async function findEvent(db: Executor, actor: Actor, eventId: string): Promise<ReplayedEventRow | null> {
  const { tenantUuid, livemode } = actor;
  const bytes = parseId("event", eventId);
  if (bytes !== null) {
    const event = await selectEventToReplay(db, tenantUuid, livemode, uuidFromBytes(bytes));
    if (event !== null) return event;
  }
  return SENDER_ID_PATTERN.test(eventId) ? selectEventToReplayBySenderId(db, tenantUuid, livemode, eventId) : null;
}
