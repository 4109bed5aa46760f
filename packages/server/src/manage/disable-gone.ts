// Switches a webhook off because its endpoint answered 410 Gone. The change is the program's own and is audited as such.
// Must never touch a webhook that somebody has changed since the answer came (its URL may be another one by now).
import { type IdGenerator, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Webhook } from "../storage/configuration.ts";
import { inTransaction } from "../storage/pools.ts";
import { insertAuditEntry } from "./audit.sql.ts";
import { disableWebhook } from "./disable-gone.sql.ts";
import { raiseConfigVersion, selectWebhook } from "./webhooks.sql.ts";

export interface DisableGoneOptions {
  readonly engine: pg.Pool;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** `node_…`, the actor of the entry. */
  readonly nodeId: () => string;
}

/** True when the webhook was switched off by this call. */
export async function disableGone(options: DisableGoneOptions, webhook: Webhook): Promise<boolean> {
  return inTransaction(options.engine, async (db) => {
    const configVersion = await raiseConfigVersion(db);
    const now = await selectWebhook(db, webhook.tenantUuid, webhook.livemode, webhook.uuid);
    if (now === null || now.version !== webhook.version) return false;
    const atMs = options.clock.nowMs();
    const reason = "endpoint_gone";
    const changed = await disableWebhook(db, {
      tenantUuid: webhook.tenantUuid,
      webhookUuid: webhook.uuid,
      reason,
      configVersion,
      atMs,
    });
    if (!changed) return false;
    await insertAuditEntry(db, {
      tenantUuid: webhook.tenantUuid,
      entryUuid: uuidFromBytes(options.ids.next()),
      atMs,
      actor: options.nodeId(),
      action: "webhook.disabled",
      objectType: "webhook",
      objectId: webhook.id,
      requestId: "",
      change: { active: { from: true, to: false }, disabledReason: { from: null, to: reason } },
    });
    return true;
  });
}
