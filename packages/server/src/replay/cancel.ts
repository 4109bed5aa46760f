// Cancel: a delivery that is pending or held is not made. A request that is under way ends as it ends, and its attempt
// is kept; must never touch a delivery that has ended.
import { idFromUuid, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Actor } from "../manage/actor.ts";
import { insertAuditEntry } from "../manage/audit.sql.ts";
import { asTenant, type Executor } from "../storage/pools.ts";
import { cancelDelivery } from "./cancel.sql.ts";
import { selectState } from "./retry.sql.ts";

export interface CancellationsOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** Tells the owners of these webhooks (UUIDs) that something was left for them. Called after the commit. */
  readonly wake: (webhookUuids: readonly string[]) => void;
}

export type Cancelled =
  | { readonly kind: "cancelled"; readonly at: string }
  | { readonly kind: "absent" }
  | { readonly kind: "not_cancellable"; readonly state: string };

/** A dead letter can come back to pending between two looks, but not for ever: each time needs another person's retry. */
const LOOKS = 3;

export class Cancellations {
  readonly #options: CancellationsOptions;

  constructor(options: CancellationsOptions) {
    this.#options = options;
  }

  /** Ends a delivery with reason `requested`. From then on no request of it starts, on its owner within two seconds. */
  async cancel(actor: Actor, deliveryUuid: string): Promise<Cancelled> {
    const at = new Date(this.#options.clock.nowMs()).toISOString();
    let woken: string | null = null;
    const outcome = await asTenant(this.#options.api, actor.tenantUuid, async (db): Promise<Cancelled> => {
      let state: string | null = null;
      for (let look = 0; look < LOOKS; look += 1) {
        const removed = await cancelDelivery(db, actor.tenantUuid, actor.livemode, deliveryUuid, at);
        if (removed !== null) {
          await this.#audit(db, actor, deliveryUuid, at);
          woken = removed.webhook_id;
          return { kind: "cancelled", at };
        }
        state = await selectState(db, actor.tenantUuid, actor.livemode, deliveryUuid);
        if (state === null) return { kind: "absent" };
        if (state !== "pending") break;
      }
      return { kind: "not_cancellable", state: state ?? "pending" };
    });
    if (woken !== null) this.#options.wake([woken]);
    return outcome;
  }

  async #audit(db: Executor, actor: Actor, deliveryUuid: string, at: string): Promise<void> {
    await insertAuditEntry(db, {
      tenantUuid: actor.tenantUuid,
      entryUuid: uuidFromBytes(this.#options.newId()),
      atMs: Date.parse(at),
      actor: actor.keyId,
      action: "delivery.cancelled",
      objectType: "delivery",
      objectId: idFromUuid("delivery", deliveryUuid),
      requestId: actor.requestId,
      change: { state: { from: "pending", to: "cancelled" }, cancelledReason: { from: null, to: "requested" } },
    });
  }
}
