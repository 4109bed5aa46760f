// Lets upkeep publish operational events the way that every event takes, and switch webhooks off. Decides no rule.
import { idFromUuid } from "@posthorn/contract";
import type { Capture } from "../capture/capture.ts";
import type { CaptureOutcome } from "../capture/outcomes.ts";
import { scanEvent } from "../capture/scan/scan-event.ts";
import type { Log } from "../lib/log.ts";
import type { PublishOperational } from "../maintain/operational/raise.ts";
import type { TroubledOptions } from "../maintain/operational/troubled.ts";
import { switchByAnswer } from "../manage/switch-by-answer.ts";
import type { DeliveryParts } from "./delivery.ts";
import type { Ground } from "./ground.ts";

export function publishOperational(capture: Capture, log: Log): PublishOperational {
  return async ({ body, idempotencyKey, tenantId, tenantUuid, livemode, retentionClass }) => {
    const scanned = scanEvent(body, 0, body.length);
    if (scanned.kind !== "event") throw new Error(`an operational event cannot be scanned: ${scanned.kind}`);
    const sender = {
      tenantId,
      tenantUuid,
      livemode,
      companyId: null,
      retentionClass,
      unknownEventTypes: "open",
    } as const;
    const frame = { start: 0, end: body.length };
    const outcome = await new Promise<CaptureOutcome>((resolve, reject) => {
      capture.take(sender, body, frame, scanned, idempotencyKey, { resolve, reject });
    });
    if (outcome.outcome === "unavailable") return "later";
    // Stored under this key already, with other words since (a webhook was renamed in between): it is raised.
    if (outcome.outcome === "refused" && outcome.code !== "IDEMPOTENCY_KEY_REUSED") {
      log.error({ code: outcome.code, type: scanned.event }, "an operational event was refused");
    }
    return "stored";
  };
}

export function disableFailed(ground: Ground, { ownership }: DeliveryParts): TroubledOptions["disable"] {
  const { pools, clock, ids, configuration } = ground;
  return async (row) => {
    const options = { engine: pools.engine, clock, ids, nodeId: () => ownership.identity.id };
    const { tenant_id: tenantUuid, webhook_id: uuid, livemode, version, reason } = row;
    const webhook = { id: idFromUuid("webhook", uuid), uuid, tenantUuid, livemode, version };
    const because = { failingSince: row.failing_since.toISOString(), reason };
    const isDisabled = await switchByAnswer(options, webhook, "health", because);
    if (isDisabled) await configuration.refresh();
    return isDisabled;
  };
}
