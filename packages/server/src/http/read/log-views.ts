// What happened to a webhook's deliveries, by the names of the published contract. Pure: rows in, published names out.
import { idFromUuid } from "@posthorn/contract";
import type { StatisticsRow, TenantStatisticsRow } from "../../manage/statistics.sql.ts";
import { statisticsView } from "../../manage/webhook-view.ts";
import { bodyExcerpt } from "./body-excerpt.ts";
import type { DeliveryState, LatestAttemptRow, ListedDeliveryRow } from "./deliveries.sql.ts";
import { listedDeliveryView, publicEventId } from "./views.ts";

/** A delivery with its latest attempt, null when there was none. */
export interface LoggedDelivery {
  readonly delivery: ListedDeliveryRow;
  readonly attempt: LatestAttemptRow | null;
}

/** The contract's words for our states; `cancelled` is a word of ours, because it is neither success nor failure. */
export const LOG_STATUSES = ["success", "failed", "pending", "cancelled"] as const;
export type LogStatus = (typeof LOG_STATUSES)[number];
export const STATE_OF_STATUS: Readonly<Record<LogStatus, DeliveryState>> = {
  success: "delivered",
  failed: "dead_letter",
  pending: "pending",
  cancelled: "cancelled",
};
const STATUS_OF_STATE: Readonly<Record<DeliveryState, LogStatus>> = {
  delivered: "success",
  dead_letter: "failed",
  pending: "pending",
  held: "pending",
  cancelled: "cancelled",
};

/** `log_` and what the delivery's id has after its prefix. */
export function logId(deliveryUuid: string): string {
  return idFromUuid("delivery", deliveryUuid).replace(/^[a-z]+_/, "log_");
}

/** One entry of a webhook's log: a delivery and what its latest attempt brought. */
export function logView({ delivery, attempt }: LoggedDelivery): Record<string, unknown> {
  const bytes = attempt?.response_body ?? null;
  const body = bytes === null ? null : bodyExcerpt(bytes, attempt?.response_truncated ?? false);
  return {
    id: logId(delivery.id),
    deliveryId: idFromUuid("delivery", delivery.id),
    ...eventNames(delivery),
    status: STATUS_OF_STATE[delivery.state],
    deliveredAt: delivery.state === "delivered" ? (delivery.at?.toISOString() ?? null) : null,
    responseCode: attempt?.response_status ?? null,
    responseTime: attempt?.duration_ms ?? null,
    responseBody: body?.body ?? null,
    ...(body?.bodyEncoding === "base64" ? { responseBodyEncoding: "base64" } : {}),
    retryCount: Math.max(0, delivery.attempt_count - 1),
    nextRetryAt: delivery.state === "pending" ? (delivery.at?.toISOString() ?? null) : null,
    outcome: attempt?.outcome ?? null,
    lastAttemptAt: attempt?.started_at.toISOString() ?? null,
    reason: delivery.reason,
  };
}

/** A dead letter with what its latest attempt met. */
export function deadLetterView({ delivery, attempt }: LoggedDelivery): Record<string, unknown> {
  const lastAttempt =
    attempt === null
      ? null
      : {
          startedAt: attempt.started_at.toISOString(),
          durationMs: attempt.duration_ms,
          outcome: attempt.outcome,
          outcomeCode: attempt.outcome_code,
          responseStatus: attempt.response_status,
        };
  return { ...listedDeliveryView(delivery), lastAttempt };
}

/** @param row absent for a webhook of which nothing was recorded yet */
export function fullStatisticsView(
  row: StatisticsRow | undefined,
  recent: readonly LoggedDelivery[],
): Record<string, unknown> {
  return {
    ...statisticsView(row),
    ...ratesView(row),
    recentDeliveries: recent.map(({ delivery, attempt }) => ({
      ...eventNames(delivery),
      deliveredAt: delivery.at?.toISOString() ?? null,
      responseCode: attempt?.response_status ?? null,
      responseTime: attempt?.duration_ms ?? null,
    })),
  };
}

/** The figures of all webhooks of a tenant and mode together. */
export function tenantStatisticsView(row: TenantStatisticsRow): Record<string, unknown> {
  return { ...statisticsView(row), ...ratesView(row) };
}

function ratesView(row: TenantStatisticsRow | undefined): Record<string, unknown> {
  const delivered = row?.total_delivered ?? 0;
  const ended = delivered + (row?.total_failed ?? 0);
  const answered = row?.answered_count ?? 0;
  return {
    // Of nothing there is no rate: 100 would look like health, 0 like a fault.
    successRate: ended === 0 ? null : Math.round((delivered / ended) * 10_000) / 100,
    // Rounded down, so that 1 means all of them: 999,999 of 1,000,000 must not look like it.
    deliveredRatio: ended === 0 ? null : Math.floor((delivered / ended) * 1_000_000) / 1_000_000,
    averageResponseTime: row === undefined || answered === 0 ? null : Math.round(row.answered_duration_ms / answered),
  };
}

function eventNames(delivery: ListedDeliveryRow): { eventId: string; event: string } {
  return {
    eventId: publicEventId({ id: delivery.event_id, sender_id: delivery.sender_id }),
    event: delivery.event_type,
  };
}
