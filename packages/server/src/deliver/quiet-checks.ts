// Sends a test request to the endpoints that nothing was sent to for as long as their webhook's `checkAfter` says, so that
// an endpoint which broke at night is known in the morning. What comes of it goes into the endpoint's health as an attempt
// does. Only the owner of a webhook's lane checks it. Must never store, count or retry anything but that health.
import { formatId, idFromUuid } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Executor } from "../storage/pools.ts";
import type { Endpoints } from "./endpoints.ts";
import type { OneRequests } from "./one-request.ts";
import type { DeliverableEvent } from "./queue.ts";
import { markChecked, selectQuiet } from "./quiet-checks.sql.ts";

export interface QuietChecksOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly lanes: () => readonly number[];
  readonly ownsLane: (lane: number) => boolean;
  readonly maySend: () => boolean;
  readonly findWebhook: (tenantId: Webhook["tenantId"], webhookId: Webhook["id"]) => Promise<Webhook | null>;
  readonly requests: Pick<OneRequests, "test">;
  readonly endpoints: Pick<Endpoints, "checked" | "flush" | "restUntilMs">;
  readonly newId: () => Uint8Array;
}

/** What a check is called in the envelope; no event of this type is ever stored. */
export const CHECK_TYPE = "webhook.test";
/** One that failed is looked at again after this, or after `checkAfter` when that is sooner. */
export const AGAIN_AFTER_MS = 15 * 60_000;
const CHECKS_PER_LOOK = 100;
const SIDE_BY_SIDE = 4;

export class QuietChecks {
  readonly #options: QuietChecksOptions;

  constructor(options: QuietChecksOptions) {
    this.#options = options;
  }

  /** Checks what is due. */
  async look(): Promise<void> {
    const { db, clock, lanes } = this.#options;
    const due = await selectQuiet(db, lanes(), clock.nowMs(), AGAIN_AFTER_MS, CHECKS_PER_LOOK);
    const checkNext = async (): Promise<void> => {
      for (let row = due.shift(); row !== undefined; row = due.shift()) {
        await this.#check(idFromUuid("tenant", row.tenant_id), idFromUuid("webhook", row.webhook_id));
      }
    };
    await Promise.all(Array.from({ length: SIDE_BY_SIDE }, checkNext));
  }

  async #check(tenantId: Webhook["tenantId"], webhookId: Webhook["id"]): Promise<void> {
    const { db, clock, log, ownsLane, maySend, findWebhook, requests, endpoints, newId } = this.#options;
    const webhook = await findWebhook(tenantId, webhookId);
    if (webhook === null || webhook.status !== "enabled" || !ownsLane(webhook.lane) || !maySend()) return;
    // While its breaker rests, deliveries wait for the very same moment.
    if (endpoints.restUntilMs(webhook) > 0) return;
    const event = checkEvent(webhook, newId(), clock.nowMs());
    const tested = await requests.test({ webhook, event, deliveryBytes: newId(), number: 1 }, false);
    if (tested.kind === "busy") return;
    if (tested.kind === "tested") {
      const { outcome, result } = tested;
      if (outcome === "interrupted") return;
      endpoints.checked({ webhook, outcome, result, isOperational: false, endedAtMs: clock.nowMs() });
      log.debug({ webhook: webhook.id, outcome }, "a quiet endpoint was checked");
      await endpoints.flush();
    } else {
      log.info({ webhook: webhook.id }, "a quiet endpoint cannot be checked: its template has no body for a test");
    }
    await markChecked(db, webhook, clock.nowMs());
  }
}

/** It says nothing that could be taken for business. */
function checkEvent(webhook: Webhook, idBytes: Uint8Array, nowMs: number): DeliverableEvent {
  return {
    idBytes,
    publicId: formatId("event", idBytes),
    type: CHECK_TYPE,
    timestamp: new Date(nowMs).toISOString(),
    livemode: webhook.livemode,
    retentionClass: 90,
    data: Buffer.from(JSON.stringify({ object: { id: webhook.id } }), "utf8"),
    context: Buffer.from(JSON.stringify({ source: "posthorn" }), "utf8"),
  };
}
