// Pausing and resuming a webhook. A status is no part of the configuration: no new version, but a new ETag, an entry in
// the trail, and every node reads it. Must touch no delivery: those of a paused webhook wait where they are.
import { idFromUuid } from "@posthorn/contract";
import type pg from "pg";
import { asTenant } from "../storage/pools.ts";
import type { Actor } from "./actor.ts";
import { type ChangeOptions, changeConfiguration, entryBy, undo } from "./change.ts";
import { matchesEtag } from "./webhook-change.ts";
import { type WebhookView, webhookEtag, webhookView } from "./webhook-view.ts";
import { updateStatus } from "./webhook-status.sql.ts";
import { selectWebhook, type WebhookRow } from "./webhooks.sql.ts";

export interface WebhookStatusesOptions extends ChangeOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

export type StatusChanged =
  | { readonly kind: "changed"; readonly webhook: WebhookView; readonly etag: string }
  | { readonly kind: "absent" }
  /** `If-Match` named another state; `etag` is the one now. */
  | { readonly kind: "stale"; readonly etag: string }
  /** It is disabled; the message says what to do. */
  | { readonly kind: "not_possible"; readonly message: string };

const ACTIONS = { paused: "webhook.paused", enabled: "webhook.resumed" } as const;

export class WebhookStatuses {
  readonly #options: WebhookStatusesOptions;

  constructor(options: WebhookStatusesOptions) {
    this.#options = options;
  }

  /** From now on its deliveries are made and held. Running requests end as they would; one paused already stays so. */
  pause(actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<StatusChanged> {
    return this.#set(actor, webhookUuid, ifMatch, "paused");
  }

  /** What was held goes out. One that is not paused stays as it is. */
  resume(actor: Actor, webhookUuid: string, ifMatch: string | undefined): Promise<StatusChanged> {
    return this.#set(actor, webhookUuid, ifMatch, "enabled");
  }

  async #set(
    actor: Actor,
    webhookUuid: string,
    ifMatch: string | undefined,
    status: keyof typeof ACTIONS,
  ): Promise<StatusChanged> {
    const { api } = this.#options;
    return changeConfiguration<StatusChanged>(
      this.#options,
      (work) => asTenant(api, actor.tenantUuid, work),
      async (change) => {
        const before = await selectWebhook(change.db, actor.tenantUuid, actor.livemode, webhookUuid);
        const refusal = refusalFor(before, ifMatch);
        if (before === null || refusal !== null) return undo<StatusChanged>(refusal ?? { kind: "absent" });
        if (before.status === status) return undo<StatusChanged>(changed(before));
        const { configVersion, atMs } = change;
        const after: WebhookRow = { ...before, status, config_version: configVersion, updated_at: new Date(atMs) };
        const { tenantUuid } = actor;
        const at = after.updated_at.toISOString();
        await updateStatus(change.db, { tenantUuid, uuid: webhookUuid, status, configVersion, at });
        const members = {
          status: { from: before.status, to: status },
          configVersion: { from: before.config_version, to: configVersion },
        };
        const id = idFromUuid("webhook", webhookUuid);
        await change.audit(entryBy(actor, ACTIONS[status], "webhook", id, members));
        return changed(after);
      },
    );
  }
}

function refusalFor(row: WebhookRow | null, ifMatch: string | undefined): StatusChanged | null {
  if (row === null) return { kind: "absent" };
  const etag = webhookEtag(row);
  if (!matchesEtag(ifMatch, etag)) return { kind: "stale", etag };
  if (row.status !== "disabled") return null;
  const message = "The webhook is disabled: it hears nothing that could be held. Set its `active` to true first.";
  return { kind: "not_possible", message };
}

function changed(row: WebhookRow): StatusChanged {
  return { kind: "changed", webhook: webhookView(row), etag: webhookEtag(row) };
}
