// Switches a webhook off because its endpoint answered 410 Gone, or pauses it or switches it off because one of its own
// rules about answers says so, or switches it off because it failed for too long. The change is the program's own, is
// audited as such, and noted for people to be told. Must never touch a webhook that somebody has changed since the answer
// came (its URL may be another one by now).
import { type IdGenerator, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import type { Webhook } from "../storage/configuration.ts";
import { insertWebhookNotices } from "../storage/notices.sql.ts";
import { type Executor, inTransaction } from "../storage/pools.ts";
import { insertAuditEntry } from "./audit.sql.ts";
import { disableWebhook, pauseWebhook } from "./switch-by-answer.sql.ts";
import { raiseConfigVersion, selectWebhook } from "./webhooks.sql.ts";

export interface SwitchByAnswerOptions {
  readonly engine: pg.Pool;
  readonly clock: Clock;
  readonly ids: IdGenerator;
  /** `node_…`, the actor of the entry. */
  readonly nodeId: () => string;
}

/** What the answer means: the endpoint is gone, a rule said to pause or to disable, or there was none for too long. */
export type AnswerConsequence = "endpoint_gone" | "pause" | "disable" | "health";

/**
 * True when the webhook was switched by this call.
 * @param because what people are told beside the reason
 */
export async function switchByAnswer(
  options: SwitchByAnswerOptions,
  webhook: Pick<Webhook, "id" | "uuid" | "tenantUuid" | "livemode" | "version">,
  consequence: AnswerConsequence,
  because: Readonly<Record<string, unknown>> = {},
): Promise<boolean> {
  return inTransaction(options.engine, async (db) => {
    const configVersion = await raiseConfigVersion(db);
    const now = await selectWebhook(db, webhook.tenantUuid, webhook.livemode, webhook.uuid);
    if (now === null || now.version !== webhook.version) return false;
    const atMs = options.clock.nowMs();
    const change = { tenantUuid: webhook.tenantUuid, webhookUuid: webhook.uuid, configVersion, atMs };
    const audited = await switchIt(db, change, consequence, now.status);
    if (audited === null) return false;
    await insertAuditEntry(db, {
      tenantUuid: webhook.tenantUuid,
      entryUuid: uuidFromBytes(options.ids.next()),
      atMs,
      actor: options.nodeId(),
      objectType: "webhook",
      objectId: webhook.id,
      requestId: "",
      ...audited,
    });
    if (consequence !== "pause") {
      const { tenantUuid, uuid: webhookUuid, livemode } = webhook;
      const detail = { disabledReason: reasonOf(consequence), ...because };
      await insertWebhookNotices(db, [{ tenantUuid, webhookUuid, livemode, type: "webhook.disabled", atMs, detail }]);
    }
    return true;
  });
}

function reasonOf(consequence: Exclude<AnswerConsequence, "pause">): "endpoint_gone" | "response_rule" | "health" {
  return consequence === "disable" ? "response_rule" : consequence;
}

async function switchIt(
  db: Executor,
  change: Parameters<typeof pauseWebhook>[1],
  consequence: AnswerConsequence,
  status: string,
): Promise<{ action: string; change: Readonly<Record<string, unknown>> } | null> {
  if (consequence === "pause") {
    if (!(await pauseWebhook(db, change))) return null;
    return {
      action: "webhook.paused",
      change: { status: { from: status, to: "paused" }, reason: { from: null, to: "response_rule" } },
    };
  }
  const reason = reasonOf(consequence);
  if (!(await disableWebhook(db, { ...change, reason }))) return null;
  return {
    action: "webhook.disabled",
    change: { active: { from: true, to: false }, disabledReason: { from: null, to: reason } },
  };
}
