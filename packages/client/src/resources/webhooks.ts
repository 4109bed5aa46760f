// Managing webhooks. Changes are repeated only where the first try certainly did nothing.
import { type CallOptions, pathOf, type Transport } from "../http/transport.ts";
import type { Listing } from "../listing.ts";
import type { Time } from "../types/event.ts";
import type {
  AppliedWebhooks,
  ChangedWebhook,
  Diagnosis,
  NamedWebhook,
  NewWebhook,
  ReplayedWebhook,
  ShownSecret,
  TaggedWebhook,
  Webhook,
  WebhookChange,
  WebhookLog,
  WebhookReplay,
  WebhookStatistics,
  WebhookStatus,
  WebhookTestResult,
  WebhookVersion,
} from "../types/webhook.ts";
import type { CancelledMany, CancelMany } from "../types/replay.ts";
import { type ChangeOptions, change, list, read, tagged } from "./read.ts";

export interface WebhookQuery {
  readonly status?: WebhookStatus;
  /** Exactly this name. */
  readonly name?: string;
  /** Webhooks on one page, 1 to 200. */
  readonly limit?: number;
}

export interface LogQuery {
  readonly event?: string;
  readonly status?: WebhookLog["status"];
  readonly dateFrom?: Time;
  readonly dateTo?: Time;
  /** Entries on one page, 1 to 200. */
  readonly limit?: number;
}

export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Creates a webhook. `secret` in the answer is shown only this once. */
  async create(webhook: NewWebhook, options?: CallOptions): Promise<TaggedWebhook & ShownSecret> {
    return tagged<Webhook & ShownSecret>(await change(this.#transport, "POST", "/webhooks", webhook, options));
  }

  /** Reads a webhook and its figures; what it gives back can be an `ifMatch`. */
  async get(id: string, options?: CallOptions): Promise<TaggedWebhook> {
    const path = pathOf`/webhooks/${id}`;
    return tagged<Webhook>(await this.#transport.send({ method: "GET", path, repeatable: "always", ...options }));
  }

  /** Lists webhooks, newest first. */
  list(query?: WebhookQuery, options?: CallOptions): Listing<Webhook> {
    return list(this.#transport, "/webhooks", query, options);
  }

  /**
   * Replaces the fields given; the rest stay, and `null` restores a default.
   * @throws PosthornError PRECONDITION_FAILED when it changed since `ifMatch` was read
   */
  async update(
    id: string,
    fields: WebhookChange,
    options?: ChangeOptions,
  ): Promise<TaggedWebhook & ChangedWebhook & ShownSecret> {
    const answer = await change(this.#transport, "PATCH", pathOf`/webhooks/${id}`, fields, options);
    return tagged<ChangedWebhook & ShownSecret>(answer);
  }

  /** Deletes a webhook; what it has not delivered yet is cancelled. */
  async delete(id: string, options?: ChangeOptions): Promise<void> {
    await change(this.#transport, "DELETE", pathOf`/webhooks/${id}`, undefined, options);
  }

  /**
   * Sends one real request now and gives back what came of it; nothing is stored.
   * @param test without `testData` the catalogue's example of the type; `secret: "next"` signs with the coming secret
   */
  async test(
    id: string,
    test: { readonly event: string; readonly testData?: unknown; readonly secret?: "current" | "next" },
    options?: CallOptions,
  ): Promise<WebhookTestResult> {
    return (await change(this.#transport, "POST", pathOf`/webhooks/${id}/test`, test, options))
      .data as WebhookTestResult;
  }

  /**
   * Finds out what is wrong with the receiver: DNS, guard, connection, TLS, credentials, a test request, a verdict.
   * @param diagnosis `send: false` sends no test request; `event` says whose example it carries
   */
  async diagnose(
    id: string,
    diagnosis: { readonly send?: boolean; readonly event?: string } = {},
    options?: CallOptions,
  ): Promise<Diagnosis> {
    return (await change(this.#transport, "POST", pathOf`/webhooks/${id}/diagnose`, diagnosis, options))
      .data as Diagnosis;
  }

  /** Holds deliveries: events are still matched, nothing is sent until `resume`. */
  async pause(id: string, options?: ChangeOptions): Promise<TaggedWebhook> {
    return tagged<Webhook>(await change(this.#transport, "POST", pathOf`/webhooks/${id}/pause`, undefined, options));
  }

  /** Sends what was held, and goes on. */
  async resume(id: string, options?: ChangeOptions): Promise<TaggedWebhook> {
    return tagged<Webhook>(await change(this.#transport, "POST", pathOf`/webhooks/${id}/resume`, undefined, options));
  }

  /**
   * Makes (or takes) a new signing secret. For the overlap, profiles that carry several signatures sign with both;
   * those that carry one sign with the old secret until `switchSecret`.
   */
  async rotateSecret(
    id: string,
    rotation: { readonly secret?: string; readonly overlapSeconds?: number } = {},
    options?: ChangeOptions,
  ): Promise<TaggedWebhook & ShownSecret> {
    const answer = await change(this.#transport, "POST", pathOf`/webhooks/${id}/secret/rotate`, rotation, options);
    return tagged<Webhook & ShownSecret>(answer);
  }

  /** Ends the overlap of a rotation for profiles that carry one signature: from now on the new secret signs. */
  async switchSecret(id: string, options?: ChangeOptions): Promise<TaggedWebhook> {
    const answer = await change(this.#transport, "POST", pathOf`/webhooks/${id}/secret/switch`, undefined, options);
    return tagged<Webhook>(answer);
  }

  /** Delivers once more what it was owed in a time range, whatever its filters say now. */
  async replay(id: string, what: WebhookReplay, options?: CallOptions): Promise<ReplayedWebhook> {
    return (await change(this.#transport, "POST", pathOf`/webhooks/${id}/replay`, what, options))
      .data as ReplayedWebhook;
  }

  /** Cancels its pending and held deliveries: up to `limit`, the rest when it is called again. */
  async cancelPending(id: string, what: CancelMany = {}, options?: CallOptions): Promise<CancelledMany> {
    return (await change(this.#transport, "POST", pathOf`/webhooks/${id}/cancel-pending`, what, options))
      .data as CancelledMany;
  }

  /** Exact figures of a webhook. */
  statistics(id: string, options?: CallOptions): Promise<WebhookStatistics> {
    return read(this.#transport, pathOf`/webhooks/${id}/statistics`, options);
  }

  /** Its deliveries, each with its latest attempt, newest first. */
  logs(id: string, query?: LogQuery, options?: CallOptions): Listing<WebhookLog> {
    return list(this.#transport, pathOf`/webhooks/${id}/logs`, query, options);
  }

  /** What its configuration was, newest first. */
  versions(id: string, query?: { readonly limit?: number }, options?: CallOptions): Listing<WebhookVersion> {
    return list(this.#transport, pathOf`/webhooks/${id}/versions`, query, options);
  }

  /**
   * Brings the webhooks of these names to what is given, all or nothing.
   * @param apply `dryRun` only shows the plan; `prune` also deletes webhooks that are not named
   */
  async apply(
    webhooks: readonly NamedWebhook[],
    apply: { readonly dryRun?: boolean; readonly prune?: boolean } = {},
    options?: CallOptions,
  ): Promise<AppliedWebhooks> {
    const body = { webhooks, ...(apply.prune === undefined ? {} : { prune: apply.prune }) };
    const query = { dryRun: apply.dryRun };
    return (await change(this.#transport, "POST", "/webhooks/apply", body, options, query)).data as AppliedWebhooks;
  }
}
