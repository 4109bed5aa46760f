// Rows of events, deliveries and attempts as capture and record leave them; a test names only what it is about.
import { uuidFromBytes } from "@posthorn/contract";
import type { Face } from "./support.ts";

export interface HistoryEvent {
  readonly uuid: string;
  readonly atMs: number;
}

export class History {
  readonly #face: Face;
  readonly #tenant: string;

  constructor(face: Face, tenantUuid: string) {
    this.#face = face;
    this.#tenant = tenantUuid;
  }

  async webhook(options: { livemode?: boolean; status?: string; configuration?: object } = {}): Promise<string> {
    const uuid = this.uuid();
    const configuration = JSON.stringify({
      url: "https://example.com/hook",
      events: ["*"],
      ...(options.configuration ?? {}),
    });
    const status = options.status ?? "enabled";
    await this.#face.owner.query(
      `insert into webhook (tenant_id, id, created_at, updated_at, config_version, version, lane, livemode, status,
         disabled_reason, deleted_at, configuration)
       values ($1, $2, now(), now(), 1, 3, 77, $3, $4, case when $4 = 'disabled' then 'owner' end,
         case when $4 = 'deleted' then now() end, $5)`,
      [this.#tenant, uuid, options.livemode ?? true, status, configuration],
    );
    await this.#face.owner.query(
      `insert into webhook_version (tenant_id, webhook_id, created_at, from_config_version, version, created_by, configuration)
       values ($1, $2, now(), 1, 3, 'key_x', $3)`,
      [this.#tenant, uuid, configuration],
    );
    return uuid;
  }

  async event(
    options: {
      atMs?: number;
      type?: string;
      reference?: string;
      senderId?: string;
      livemode?: boolean;
      retentionClass?: number;
      data?: string;
      context?: string;
      timestamp?: string;
      orderingKey?: string;
      erased?: boolean;
    } = {},
  ): Promise<HistoryEvent> {
    const atMs = options.atMs ?? this.#face.clock.nowMs();
    const uuid = this.uuid(atMs);
    await this.#face.owner.query(
      `insert into event (tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type,
         sender_id, sent_timestamp, reference, ordering_key, data, context, erased_at)
       values ($1, $2, 1, 0, $3, $4, false, $5, $6, $7, $8, $9, $10, $11, case when $12 then now() end)`,
      [
        this.#tenant,
        uuid,
        options.retentionClass ?? 90,
        options.livemode ?? true,
        options.type ?? "invoice.paid",
        options.senderId ?? null,
        options.timestamp ?? null,
        options.reference ?? null,
        options.orderingKey ?? null,
        Buffer.from(options.data ?? "{}"),
        options.context === undefined ? null : Buffer.from(options.context),
        options.erased ?? false,
      ],
    );
    return { uuid, atMs };
  }

  /** A delivery in any state; pending ones are due in an hour, or held. */
  async delivery(
    event: HistoryEvent,
    webhookUuid: string,
    state: "pending" | "held" | "delivered" | "dead_letter" | "cancelled",
    options: { replayed?: boolean; attemptCount?: number; retentionClass?: number; orderingKey?: string } = {},
  ): Promise<string> {
    const replayed = options.replayed ?? false;
    const uuid = this.uuid(replayed ? this.#face.clock.nowMs() : event.atMs);
    const count = options.attemptCount ?? 1;
    const common = [this.#tenant, uuid, event.uuid, webhookUuid, options.retentionClass ?? 90, replayed, count];
    const { owner } = this.#face;
    if (state === "pending" || state === "held") {
      await owner.query(
        `insert into delivery (tenant_id, id, event_id, webhook_id, retention_class, replayed, attempt_count, seq, due_at,
           webhook_version, lane, held_reason, ordering_key)
         values ($1, $2, $3, $4, $5, $6, $7, nextval('delivery_seq'),
           case when $8 = 'held' then 'infinity' else to_timestamp($9::float8 / 1000) + interval '1 hour' end, 3, 77,
           case when $8 = 'held' then 'breaker_open' end, $10)`,
        [...common, state, this.#face.clock.nowMs(), options.orderingKey ?? null],
      );
    } else if (state === "dead_letter") {
      await owner.query(
        `insert into dead_letter (tenant_id, id, event_id, webhook_id, retention_class, replayed, attempt_count, seq,
           dead_at, webhook_version, lane, reason, ordering_key)
         values ($1, $2, $3, $4, $5, $6, $7, 4711, now(), 3, 77, 'attempts_exhausted', $8)`,
        [...common, options.orderingKey ?? null],
      );
    } else if (state === "cancelled") {
      await owner.query(
        `insert into cancelled_delivery (tenant_id, id, event_id, webhook_id, retention_class, replayed, attempt_count,
           cancelled_at, webhook_version, reason)
         values ($1, $2, $3, $4, $5, $6, $7, now(), 3, 'requested')`,
        common,
      );
    } else {
      await this.attempt(event, webhookUuid, uuid, { ...options, number: count, delivered: true });
    }
    return uuid;
  }

  async attempt(
    event: HistoryEvent,
    webhookUuid: string,
    deliveryUuid: string,
    options: {
      number?: number;
      delivered?: boolean;
      replayed?: boolean;
      retentionClass?: number;
      responseBody?: Buffer;
      responseHeaders?: string;
      truncated?: boolean;
      startedAtMs?: number;
    } = {},
  ): Promise<void> {
    const startedAtMs = options.startedAtMs ?? this.#face.clock.nowMs();
    const delivered = options.delivered ?? false;
    await this.#face.owner.query(
      `insert into attempt (tenant_id, id, delivery_id, event_id, webhook_id, started_at, duration_ms, dns_ms, body_length,
         webhook_version, retention_class, number, response_status, ends_delivery, replayed, response_truncated, trigger,
         outcome, url, address, body_hash, response_headers, response_body)
       values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), 42, 1, 711, 3, $7, $8, $9, $10, $11, $12, 'initial',
         $13, 'https://example.com/hook', '203.0.113.7', $14, $15, $16)`,
      [
        this.#tenant,
        this.uuid(startedAtMs),
        deliveryUuid,
        event.uuid,
        webhookUuid,
        startedAtMs,
        options.retentionClass ?? 90,
        options.number ?? 1,
        delivered ? 200 : 500,
        delivered,
        options.replayed ?? false,
        options.truncated ?? false,
        delivered ? "delivered" : "rejected",
        Buffer.alloc(32, 7),
        options.responseHeaders ?? null,
        options.responseBody ?? null,
      ],
    );
  }

  uuid(atMs?: number): string {
    return uuidFromBytes(this.#face.ids.next(atMs));
  }
}
