// Reading back what happened: events with their deliveries, deliveries with their attempts, one by one and as lists.
// Everything under row-level security in one short transaction; must never change a row.
import { idFromUuid, millisecondsOfBytes, parseId, SENDER_ID_PATTERN, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { Clock } from "../../lib/clock.ts";
import { isoTime } from "../../lib/iso-time.ts";
import type { StoredConfiguration } from "../../manage/webhook-configuration.ts";
import type { RetryPolicySetting } from "../../storage/retry-setting.ts";
import { asTenant, type Executor } from "../../storage/pools.ts";
import { type IdSpan, readBackwards, spanOf, type TimeBounds } from "../../lib/id-bounds.ts";
import { selectDeliveryIdsByExternalId } from "./by-external-id.sql.ts";
import {
  type DeliveryRow,
  type DeliveryState,
  DELIVERY_STATES,
  type ListedDeliveryRow,
  selectAttempts,
  selectBatchMemberIds,
  selectConfigurations,
  selectCorrections,
  selectDeliveries,
  selectDeliveriesOfEvents,
  selectDelivery,
} from "./deliveries.sql.ts";
import { eventsOfWebhook } from "./events-of-webhook.ts";
import {
  type EventFilter,
  type EventHeadRow,
  type PayloadRow,
  selectEvent,
  selectEventBySenderId,
  selectEvents,
  selectPayload,
} from "./events.sql.ts";
import { attemptView, correctionView, listedDeliveryView } from "./views.ts";

/** Whose records: a tenant in one mode. */
export interface Reader {
  readonly tenantUuid: string;
  readonly livemode: boolean;
  /** Set for a webhook's own read key: to it there is nothing but this webhook, its events and its deliveries. */
  readonly webhookUuid: string | null;
}

/**
 * The times of every attempt to come if all of them fail, milliseconds since 1970; the first is `dueAtMs`, or when the
 * webhook's calendar opens. deliver/retry-policy.ts has it; the policy is the webhook's own or null for the default.
 */
export type RetryTimes = (
  schedule: { readonly retryPolicy: RetryPolicySetting | null; readonly expireAfterMs: number | null },
  place: { readonly deliveryId: Uint8Array; readonly policyAttempt: number; readonly isRevived: boolean },
  dueAtMs: number,
) => readonly number[];

export interface RecordsOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
  readonly retryTimes: RetryTimes;
}

export interface EventQuery extends EventFilter, TimeBounds {
  readonly cursorUuid: string;
}

export interface DeliveryQuery extends TimeBounds {
  readonly states: readonly DeliveryState[];
  readonly webhookUuid: string | null;
  readonly type: EventFilter["type"];
  readonly reference: string | null;
  /** As receivers see it, or `evt_…`. */
  readonly eventId: string | null;
  /** What a rule took out of the receiver's answer under this name. */
  readonly externalId: string | null;
  /** Of this batch only. */
  readonly batchUuid: string | null;
  readonly cursorUuid: string;
}

export interface FoundEvent {
  readonly event: EventHeadRow;
  readonly payload: PayloadRow;
  readonly deliveries: readonly DeliveryRow[];
}

/** How many deliveries an event shows by itself; the others are in the list of deliveries. */
const DELIVERIES_SHOWN = 100;
/** Events that share a business number and are looked at one by one: a document lives through dozens, not thousands. */
const EVENTS_OF_REFERENCE = 5_000;

export class Records {
  readonly #options: RecordsOptions;

  constructor(options: RecordsOptions) {
    this.#options = options;
  }

  /** An event by `evt_…` or by its sender's id, with its newest hundred deliveries; null when there is none. */
  async event(reader: Reader, id: string): Promise<FoundEvent | null> {
    return this.#read(reader, async (db) => {
      const event = await findEvent(db, reader, id);
      if (event === null) return null;
      const filter = { states: DELIVERY_STATES, webhookUuid: reader.webhookUuid };
      const span = this.#span({ fromMs: null, toMs: null });
      const keys = [{ uuid: event.id, retentionClass: event.retention_class }];
      const deliveries = await selectDeliveriesOfEvents(db, reader.tenantUuid, keys, filter, span, DELIVERIES_SHOWN);
      if (reader.webhookUuid !== null && deliveries.length === 0) return null;
      const payload = await selectPayload(db, reader.tenantUuid, event.retention_class, event.id);
      return payload === null ? null : { event, payload, deliveries };
    });
  }

  /** Up to `limit` events, newest first, without their payloads. */
  async events(reader: Reader, query: EventQuery, limit: number): Promise<EventHeadRow[]> {
    const span = this.#span(query, query.cursorUuid);
    const { tenantUuid, livemode, webhookUuid } = reader;
    return this.#read(reader, (db) =>
      readBackwards(span, limit, (part, count) =>
        webhookUuid === null
          ? selectEvents(db, tenantUuid, livemode, query, part, count)
          : eventsOfWebhook(db, { tenantUuid, livemode, webhookUuid }, query, part, count),
      ),
    );
  }

  /** Up to `limit` deliveries in any of the states, newest first. */
  async deliveries(reader: Reader, asked: DeliveryQuery, limit: number): Promise<ListedDeliveryRow[]> {
    const query = ownDeliveries(reader, asked);
    if (query === null) return [];
    const span = this.#span(query, query.cursorUuid);
    const { externalId, batchUuid } = query;
    if (batchUuid !== null) {
      return this.#read(reader, (db) => this.#deliveriesOfBatch(db, reader, { ...query, batchUuid }, span, limit));
    }
    if (externalId !== null) {
      return this.#read(reader, (db) =>
        this.#deliveriesByExternalId(db, reader, { ...query, externalId }, span, limit),
      );
    }
    return this.#read(reader, (db) =>
      query.eventId === null && query.reference === null
        ? readBackwards(span, limit, (part, count) =>
            selectDeliveries(db, reader.tenantUuid, reader.livemode, query, part, count),
          )
        : this.#deliveriesOfEvents(db, reader, query, span, limit),
    );
  }

  /** A delivery with all its attempts and, while it is pending, the real times of those to come; null when absent. */
  async delivery(reader: Reader, deliveryUuid: string): Promise<Record<string, unknown> | null> {
    return this.#read(reader, async (db) => {
      const { tenantUuid, livemode } = reader;
      const delivery = await selectDelivery(db, tenantUuid, livemode, deliveryUuid);
      if (delivery === null || !maySee(reader, delivery.webhook_id)) return null;
      const attempts = await selectAttempts(db, tenantUuid, deliveryUuid);
      const corrections = await selectCorrections(db, tenantUuid, deliveryUuid);
      const used = [...new Set(attempts.map((attempt) => attempt.webhook_version))];
      const configurations = await selectConfigurations(db, tenantUuid, delivery.webhook_id, used);
      const byVersion = new Map(configurations.map((each) => [each.version, each.configuration]));
      const current = configurations.find((each) => each.is_current);
      return {
        ...listedDeliveryView(delivery),
        ...this.#nextAttempts(delivery, current?.configuration),
        ...(corrections.length === 0 ? {} : { corrections: corrections.map(correctionView) }),
        attempts: attempts.map((attempt) => attemptView(attempt, delivery, byVersion.get(attempt.webhook_version))),
      };
    });
  }

  #nextAttempts(
    delivery: ListedDeliveryRow,
    configuration: StoredConfiguration | undefined,
  ): { nextAttemptAt?: string | undefined; nextAttempts?: string[]; expiresAt?: string } {
    if (delivery.state !== "pending" && delivery.state !== "held") return {};
    // The members of a batch have the times of its first.
    const timedBy = delivery.batch_lead_id ?? delivery.id;
    const deliveryId = parseId("delivery", idFromUuid("delivery", timedBy)) as Uint8Array;
    const expireAfterMs = configuration?.expireAfter === undefined ? null : configuration.expireAfter * 1_000;
    const expiry =
      expireAfterMs === null ? {} : { expiresAt: isoTime(millisecondsOfBytes(deliveryId) + expireAfterMs) };
    if (delivery.state !== "pending" || delivery.at === null) return expiry;
    const policyAttempt = delivery.attempt_count - delivery.policy_attempt_base + 1;
    const place = { deliveryId, policyAttempt, isRevived: delivery.policy_attempt_base > 0 };
    const schedule = { retryPolicy: configuration?.retryPolicy ?? null, expireAfterMs };
    const nextAttempts = this.#options.retryTimes(schedule, place, delivery.at.getTime()).map(isoTime);
    return { ...expiry, nextAttemptAt: nextAttempts[0], nextAttempts };
  }

  /** Its members one by one: a hundred usually, and a thousand at most. One that left it meanwhile is left out. */
  async #deliveriesOfBatch(
    db: Executor,
    reader: Reader,
    query: DeliveryQuery & { readonly batchUuid: string },
    span: IdSpan,
    limit: number,
  ): Promise<ListedDeliveryRow[]> {
    const { tenantUuid, livemode } = reader;
    const found: ListedDeliveryRow[] = [];
    const members = await selectBatchMemberIds(db, tenantUuid, query.batchUuid);
    for (const id of members.sort().reverse()) {
      if (id < span.fromUuid || id >= span.beforeUuid) continue;
      const row = await selectDelivery(db, tenantUuid, livemode, id);
      if (row !== null && row.batch_id === query.batchUuid && isWanted(query, row)) found.push(row);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** One document has one or a few of them: they are looked at one by one. */
  async #deliveriesByExternalId(
    db: Executor,
    reader: Reader,
    query: DeliveryQuery & { readonly externalId: string },
    span: IdSpan,
    limit: number,
  ): Promise<ListedDeliveryRow[]> {
    const found: ListedDeliveryRow[] = [];
    for (let { beforeUuid } = span; found.length < limit; ) {
      const ids = await selectDeliveryIdsByExternalId(db, reader.tenantUuid, query.externalId, beforeUuid, limit);
      for (const id of ids.filter((each) => each >= span.fromUuid)) {
        const row = await selectDelivery(db, reader.tenantUuid, reader.livemode, id);
        if (row !== null && isWanted(query, row) && found.length < limit) found.push(row);
      }
      const last = ids.at(-1);
      if (ids.length < limit || last === undefined) break;
      beforeUuid = last;
    }
    return found;
  }

  async #deliveriesOfEvents(
    db: Executor,
    reader: Reader,
    query: DeliveryQuery,
    span: IdSpan,
    limit: number,
  ): Promise<ListedDeliveryRow[]> {
    const events = await this.#eventsNamed(db, reader, query);
    if (events.length > EVENTS_OF_REFERENCE) {
      // So many that there is one on every other page: looked for among the deliveries instead.
      return readBackwards(span, limit, (part, count) =>
        selectDeliveries(db, reader.tenantUuid, reader.livemode, query, part, count),
      );
    }
    const byId = new Map(events.map((event) => [event.id, event]));
    const keys = events.map((event) => ({ uuid: event.id, retentionClass: event.retention_class }));
    const rows = await selectDeliveriesOfEvents(db, reader.tenantUuid, keys, query, span, limit);
    return rows.map((row) => {
      const event = byId.get(row.event_id) as EventHeadRow;
      return { ...row, event_type: event.type, reference: event.reference, sender_id: event.sender_id };
    });
  }

  /** The events that a filter by id or business number means, of the type asked for. */
  async #eventsNamed(db: Executor, reader: Reader, query: DeliveryQuery): Promise<EventHeadRow[]> {
    const { tenantUuid, livemode } = reader;
    if (query.eventId === null) {
      // Not bounded by the times asked for: those are the deliveries', and a replay is later than its event.
      const span = this.#span({ fromMs: null, toMs: null });
      const filter = { type: query.type, reference: query.reference };
      return selectEvents(db, tenantUuid, livemode, filter, span, EVENTS_OF_REFERENCE + 1);
    }
    const event = await findEvent(db, reader, query.eventId);
    if (event === null || (query.reference !== null && event.reference !== query.reference)) return [];
    return query.type === null || matchesType(query.type, event.type) ? [event] : [];
  }

  #span(bounds: TimeBounds, cursorUuid = "ffffffff-ffff-ffff-ffff-ffffffffffff"): IdSpan {
    return spanOf(bounds, cursorUuid, this.#options.clock.nowMs());
  }

  #read<Result>(reader: Reader, work: (db: Executor) => Promise<Result>): Promise<Result> {
    return asTenant(this.#options.api, reader.tenantUuid, work);
  }
}

/** An event by our id, else by the sender's. */
export async function findEvent(db: Executor, reader: Reader, id: string): Promise<EventHeadRow | null> {
  const { tenantUuid, livemode } = reader;
  const bytes = parseId("event", id);
  if (bytes !== null) {
    const event = await selectEvent(db, tenantUuid, livemode, uuidFromBytes(bytes));
    if (event !== null) return event;
  }
  return SENDER_ID_PATTERN.test(id) ? selectEventBySenderId(db, tenantUuid, livemode, id) : null;
}

/** Whether this webhook is there at all for whoever asks. */
export function maySee(reader: Reader, webhookUuid: string): boolean {
  return reader.webhookUuid === null || reader.webhookUuid === webhookUuid;
}

/** The query as far as the reader may ask it; null when nothing of it is the reader's. */
export function ownDeliveries<Query extends { readonly webhookUuid: string | null }>(
  reader: Reader,
  query: Query,
): Query | null {
  if (reader.webhookUuid === null) return query;
  if (query.webhookUuid !== null && query.webhookUuid !== reader.webhookUuid) return null;
  return { ...query, webhookUuid: reader.webhookUuid };
}

/** Of one that was read by itself: whether the query means it. */
function isWanted(query: DeliveryQuery, row: ListedDeliveryRow): boolean {
  return (
    (query.states.includes(row.state) || (row.state === "held" && query.states.includes("pending"))) &&
    (query.webhookUuid === null || query.webhookUuid === row.webhook_id) &&
    (query.reference === null || query.reference === row.reference) &&
    (query.type === null || matchesType(query.type, row.event_type)) &&
    (query.eventId === null || [row.sender_id, idFromUuid("event", row.event_id)].includes(query.eventId))
  );
}

function matchesType(wanted: { readonly text: string; readonly isPrefix: boolean }, type: string): boolean {
  return wanted.isPrefix ? type.startsWith(wanted.text) : type === wanted.text;
}
