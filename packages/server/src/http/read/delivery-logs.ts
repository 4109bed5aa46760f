// What became of deliveries, with the latest attempt of each: a webhook's statistics and log, and the dead letters.
// Everything under row-level security in one short transaction; must never change a row.
import type pg from "pg";
import type { Clock } from "../../lib/clock.ts";
import { type IdSpan, readBackwards, spanOf, type TimeBounds } from "../../lib/id-bounds.ts";
import { selectStatistics, selectTenantStatistics } from "../../manage/statistics.sql.ts";
import { selectWebhook } from "../../manage/webhooks.sql.ts";
import { asTenant, type Executor } from "../../storage/pools.ts";
import { HIGHEST_UUID } from "../cursor.ts";
import { DELIVERY_STATES, type DeliveryFilter, selectDeliveries, selectLatestAttempts } from "./deliveries.sql.ts";
import {
  fullStatisticsView,
  type LoggedDelivery,
  type LogStatus,
  STATE_OF_STATUS,
  tenantStatisticsView,
} from "./log-views.ts";
import { maySee, ownDeliveries, type Reader } from "./records.ts";

/** How many deliveries the statistics show. */
const RECENT_COUNT = 10;

export interface DeliveryLogsOptions {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly clock: Clock;
}

/** Times are those of the deliveries' events, and of replays themselves. */
export interface LogQuery extends TimeBounds {
  readonly type: DeliveryFilter["type"];
  /** Null: all. */
  readonly status: LogStatus | null;
  readonly cursorUuid: string;
}

export interface DeadLetterQuery extends TimeBounds {
  readonly webhookUuid: string | null;
  readonly type: DeliveryFilter["type"];
  readonly reason: string | null;
  readonly cursorUuid: string;
}

export class DeliveryLogs {
  readonly #options: DeliveryLogsOptions;

  constructor(options: DeliveryLogsOptions) {
    this.#options = options;
  }

  /** A webhook's figures and its newest deliveries that arrived; null when there is no such webhook. */
  async statistics(reader: Reader, webhookUuid: string): Promise<Record<string, unknown> | null> {
    const filter = { states: ["delivered"], webhookUuid, type: null } as const;
    const span = this.#span({ fromMs: null, toMs: null }, HIGHEST_UUID);
    return this.#ofWebhook(reader, webhookUuid, async (db) => {
      const [row] = await selectStatistics(db, reader.tenantUuid, [webhookUuid]);
      // Without an arrival there is nothing to look for, in ten years of days.
      const recent = row?.total_delivered ? await logged(db, reader, filter, span, RECENT_COUNT) : [];
      return fullStatisticsView(row, recent);
    });
  }

  /** The figures of all webhooks that the key's tenant has in its mode. */
  tenantStatistics(reader: Reader): Promise<Record<string, unknown>> {
    return this.#read(reader, async (db) =>
      tenantStatisticsView(await selectTenantStatistics(db, reader.tenantUuid, reader.livemode)),
    );
  }

  /** Up to `limit` entries of a webhook's log, newest first; null when there is no such webhook. */
  async logs(
    reader: Reader,
    webhookUuid: string,
    query: LogQuery,
    limit: number,
  ): Promise<readonly LoggedDelivery[] | null> {
    const states = query.status === null ? DELIVERY_STATES : [STATE_OF_STATUS[query.status]];
    const span = this.#span(query, query.cursorUuid);
    return this.#ofWebhook(reader, webhookUuid, (db) =>
      logged(db, reader, { states, webhookUuid, type: query.type }, span, limit),
    );
  }

  /** Up to `limit` dead letters, newest first. */
  async deadLetters(reader: Reader, asked: DeadLetterQuery, limit: number): Promise<readonly LoggedDelivery[]> {
    const query = ownDeliveries(reader, asked);
    if (query === null) return [];
    const { webhookUuid, type, reason } = query;
    const filter = { states: ["dead_letter"], webhookUuid, type, deadReason: reason } as const;
    const span = this.#span(query, query.cursorUuid);
    return this.#read(reader, (db) => logged(db, reader, filter, span, limit));
  }

  #ofWebhook<Result>(
    reader: Reader,
    webhookUuid: string,
    work: (db: Executor) => Promise<Result>,
  ): Promise<Result | null> {
    if (!maySee(reader, webhookUuid)) return Promise.resolve(null);
    return this.#read(reader, async (db) => {
      const webhook = await selectWebhook(db, reader.tenantUuid, reader.livemode, webhookUuid);
      return webhook === null ? null : work(db);
    });
  }

  #span(bounds: TimeBounds, cursorUuid: string): IdSpan {
    return spanOf(bounds, cursorUuid, this.#options.clock.nowMs());
  }

  #read<Result>(reader: Reader, work: (db: Executor) => Promise<Result>): Promise<Result> {
    return asTenant(this.#options.api, reader.tenantUuid, work);
  }
}

async function logged(
  db: Executor,
  reader: Reader,
  filter: DeliveryFilter,
  span: IdSpan,
  limit: number,
): Promise<LoggedDelivery[]> {
  const { tenantUuid, livemode } = reader;
  const deliveries = await readBackwards(span, limit, (part, count) =>
    selectDeliveries(db, tenantUuid, livemode, filter, part, count),
  );
  const ids = deliveries.map((delivery) => delivery.id);
  const attempts = new Map((await selectLatestAttempts(db, tenantUuid, ids)).map((row) => [row.delivery_id, row]));
  return deliveries.map((delivery) => ({ delivery, attempt: attempts.get(delivery.id) ?? null }));
}
