// THE table of routes: everything that /v1 (and /api/v1) answers, with the scope it needs. Read it to review access.
import { rawRoute, type RawHandler, type RawRoute, type Route } from "./route-entry.ts";
import { BATCH_BODY_LIMIT_BYTES, EVENT_BODY_LIMIT_BYTES } from "./routes/publish.ts";
import { deliveryRoutes, type DeliveriesFace, type RetriesFace } from "./routes/deliveries.ts";
import { eventTypeRoutes, type EventTypesFace } from "./routes/event-types.ts";
import { type EventsFace, eventRoutes, type ReplaysFace } from "./routes/events.ts";
import { webhookRoutes, type WebhooksFace } from "./routes/webhooks.ts";

/** What stands behind the routes; each is the small interface that its handlers need. */
export interface RouteHandlers {
  readonly webhooks: WebhooksFace;
  readonly records: EventsFace & DeliveriesFace;
  readonly retries: RetriesFace;
  readonly replays: ReplaysFace;
  readonly eventTypes: EventTypesFace;
  /** The capture path. */
  readonly publish: {
    readonly event: RawHandler;
    readonly batch: RawHandler;
    /** Makes the question asked before a body of up to so many bytes is read. */
    readonly admit: (limitBytes: number) => RawRoute["admit"];
  };
}

export function routeTable(handlers: RouteHandlers): readonly Route[] {
  const { publish } = handlers;
  return [
    rawRoute({
      method: "POST",
      path: "/events",
      scope: "write:events",
      summary: "Publish an event.",
      bodyLimitBytes: EVENT_BODY_LIMIT_BYTES,
      contentTypes: ["application/json"],
      admit: publish.admit(EVENT_BODY_LIMIT_BYTES),
      handle: publish.event,
    }),
    rawRoute({
      method: "POST",
      path: "/events/batch",
      scope: "write:events",
      summary: "Publish up to 1,000 events.",
      bodyLimitBytes: BATCH_BODY_LIMIT_BYTES,
      contentTypes: ["application/json", "application/x-ndjson"],
      admit: publish.admit(BATCH_BODY_LIMIT_BYTES),
      handle: publish.batch,
    }),
    ...eventRoutes(handlers.records, handlers.replays),
    ...deliveryRoutes(handlers.records, handlers.retries),
    ...webhookRoutes(handlers.webhooks),
    ...eventTypeRoutes(handlers.eventTypes),
  ];
}
