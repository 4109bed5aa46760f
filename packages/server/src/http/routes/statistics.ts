// The routes that tell what a webhook has done: its figures and its log. Both speak the words of the published contract.
import { normaliseTimestamp } from "@posthorn/contract";
import { z } from "zod";
import { type Answer, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import type { DeliveryLogs } from "../read/delivery-logs.ts";
import { LOG_STATUSES, logView } from "../read/log-views.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { logEntry, tenantStatistics, webhookStatistics } from "../schemas/log.ts";
import { TYPE_PARAMETER, typeFilter } from "../type-parameter.ts";
import { noWebhook, withWebhook } from "./webhooks.ts";

const DAY_MS = 86_400_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/** A time, or a day in UTC; `dayEnd` is what a day means: its beginning, or the beginning of the next. */
function dateParameter(dayEnd: "first" | "last", description: string) {
  return z
    .string()
    .transform((text) => {
      const isDay = DATE.test(text);
      const ms = Date.parse(normaliseTimestamp(isDay ? `${text}T00:00:00Z` : text) ?? "");
      return isDay && dayEnd === "last" ? ms + DAY_MS : ms;
    })
    .refine((ms) => !Number.isNaN(ms), "Expected a day such as 2026-11-23, or a time such as 2026-11-23T08:00:00Z")
    .meta({ description, examples: ["2026-11-23", "2026-11-23T08:00:00Z"] });
}

const logQuery = z.strictObject({
  ...PAGE_PARAMETERS,
  event: TYPE_PARAMETER.optional(),
  status: z.enum(LOG_STATUSES).optional(),
  dateFrom: dateParameter("first", "Events received from here on: a time, or a day in UTC.").optional(),
  dateTo: dateParameter("last", "Events received before this time, or up to and with this day in UTC.").optional(),
});

export type StatisticsFace = Pick<DeliveryLogs, "statistics" | "tenantStatistics" | "logs">;

export function statisticsRoutes(deliveryLogs: StatisticsFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/statistics",
      scope: "read:webhooks",
      summary: "Read what all webhooks have done so far.",
      tag: "Webhooks",
      answer: { status: 200, data: tenantStatistics },
      handle: async (call) => success(await deliveryLogs.tenantStatistics(call.principal)),
    }),
    route({
      method: "GET",
      path: "/webhooks/{id}/statistics",
      allowsReadKey: true,
      scope: "read:webhooks",
      summary: "Read what a webhook has done so far.",
      tag: "Webhooks",
      answer: { status: 200, data: webhookStatistics },
      handle: (call) => withWebhook(call, (uuid) => statistics(deliveryLogs, call, uuid)),
    }),
    route({
      method: "GET",
      path: "/webhooks/{id}/logs",
      allowsReadKey: true,
      scope: "read:events",
      summary: "List a webhook's deliveries with the answer to each one's latest attempt, newest first.",
      tag: "Webhooks",
      query: logQuery,
      answer: { status: 200, data: logEntry, isList: true },
      handle: (call) => withWebhook(call, (uuid) => logs(deliveryLogs, call, uuid)),
    }),
  ];
}

async function statistics(deliveryLogs: StatisticsFace, call: Call, uuid: string): Promise<Answer> {
  const found = await deliveryLogs.statistics(call.principal, uuid);
  return found === null ? noWebhook() : success(found);
}

async function logs(
  deliveryLogs: StatisticsFace,
  call: Call<z.output<typeof logQuery>>,
  uuid: string,
): Promise<Answer> {
  const start = pageStart("log", call.query);
  if (!start.ok) return start.failure;
  const query = {
    type: typeFilter(call.query.event),
    status: call.query.status ?? null,
    fromMs: call.query.dateFrom ?? null,
    toMs: call.query.dateTo ?? null,
    cursorUuid: start.beforeUuid,
  };
  const found = await deliveryLogs.logs(call.principal, uuid, query, start.limit + 1);
  return found === null ? noWebhook() : pageOf("log", found, start.limit, ({ delivery }) => delivery.id, logView);
}
