// THE table of routes: everything that /v1 (and /api/v1) answers, with the scope it needs. Read it to review access.
import { CLOUD_EVENT_BATCH_TYPE, CLOUD_EVENT_TYPE } from "@posthorn/contract";
import { rawRoute, type RawHandler, type RawRoute, type Route } from "./route-entry.ts";
import { BATCH_BODY_LIMIT_BYTES, BATCH_ERRORS, EVENT_BODY_LIMIT_BYTES, PUBLISH_ERRORS } from "./routes/publish.ts";
import { applyRoutes, type AppliesFace } from "./routes/apply.ts";
import { type ApiKeysFace, apiKeyRoutes } from "./routes/api-keys.ts";
import { type AuditFace, auditRoutes } from "./routes/audit.ts";
import { type CompaniesFace, companyRoutes } from "./routes/companies.ts";
import { type BulkRetriesFace, type DeadLettersFace, deadLetterRoutes } from "./routes/dead-letters.ts";
import { codeTableRoutes, type DefinitionsFace, ruleRoutes } from "./routes/definitions.ts";
import { deliveryRoutes, type DeliveriesFace, type RetriesFace } from "./routes/deliveries.ts";
import { type BulkCancellationsFace, cancelManyRoutes } from "./routes/cancel-many.ts";
import { type ReplayJobsFace, replayJobRoutes } from "./routes/replays.ts";
import { type CancellationsFace, deliveryActionRoutes, type RequestViewFace } from "./routes/delivery-actions.ts";
import { type DigestFace, digestRoutes } from "./routes/digest.ts";
import { diagnoseRoutes, type DiagnosesFace } from "./routes/diagnose.ts";
import { eventTypeRoutes, type EventTypesFace } from "./routes/event-types.ts";
import { type EventsFace, eventRoutes, type ReplaysFace } from "./routes/events.ts";
import { type OauthClientsFace, type OauthGrantsFace, oauthRoutes } from "./routes/oauth.ts";
import { type OrganisationFace, organisationRoutes } from "./routes/organisation.ts";
import { parkedKeyRoutes, type ParkedKeysFace } from "./routes/parked-keys.ts";
import { type PreviewFace, previewRoutes } from "./routes/preview.ts";
import { secretRotationRoutes, type SecretRotationsFace } from "./routes/secret-rotation.ts";
import { readKeyRoutes } from "./routes/read-keys.ts";
import { type RegisteredTypesFace, registeredTypeRoutes } from "./routes/registered-types.ts";
import { routesBetween, type RoutesFace } from "./routes/routes-between.ts";
import { snapshotRoutes, type SnapshotsFace } from "./routes/snapshots.ts";
import { type StatisticsFace, statisticsRoutes } from "./routes/statistics.ts";
import { tenantRoutes, type TenantsFace } from "./routes/tenants.ts";
import { webhookActionRoutes, type WebhookStatusesFace, type WebhookTestsFace } from "./routes/webhook-actions.ts";
import { type ModulesFace, moduleRoutes } from "./routes/modules.ts";
import { type NodesFace, nodeRoutes } from "./routes/nodes.ts";
import { webhookReplayRoutes, type WebhookReplaysFace } from "./routes/webhook-replay.ts";
import { type GapsFace, webhookRoutes, type WebhooksFace } from "./routes/webhooks.ts";
import {
  batchResult,
  batchToPublish,
  cloudEventsToPublish,
  cloudEventToPublish,
  eventToPublish,
  linesToPublish,
  publishedEvent,
} from "./schemas/event.ts";

/** What stands behind the routes; each is the small interface that its handlers need. */
export interface RouteHandlers {
  readonly nodes: NodesFace;
  readonly modules: ModulesFace;
  readonly webhooks: WebhooksFace;
  readonly gaps: GapsFace;
  readonly webhookStatuses: WebhookStatusesFace;
  readonly secretRotations: SecretRotationsFace;
  readonly applies: AppliesFace;
  readonly records: EventsFace & DeliveriesFace;
  readonly deliveryLogs: StatisticsFace & DeadLettersFace;
  readonly retries: RetriesFace;
  readonly bulkRetries: BulkRetriesFace;
  readonly webhookReplays: WebhookReplaysFace;
  readonly cancellations: CancellationsFace;
  readonly bulkCancellations: BulkCancellationsFace;
  readonly replayJobs: ReplayJobsFace;
  readonly parkedKeys: ParkedKeysFace;
  readonly snapshots: SnapshotsFace;
  /** Requests made one by one, to be sent or shown. */
  readonly oneRequests: WebhookTestsFace & RequestViewFace;
  readonly diagnoses: DiagnosesFace;
  readonly replays: ReplaysFace;
  readonly previews: PreviewFace;
  readonly eventTypes: EventTypesFace;
  readonly registeredTypes: RegisteredTypesFace;
  readonly apiKeys: ApiKeysFace;
  readonly oauthClients: OauthClientsFace;
  readonly oauthGrants: OauthGrantsFace;
  readonly companies: CompaniesFace;
  readonly organisation: OrganisationFace;
  readonly routes: RoutesFace;
  readonly tenants: TenantsFace;
  readonly rules: DefinitionsFace;
  readonly codeTables: DefinitionsFace;
  readonly audit: AuditFace;
  readonly digest: DigestFace;
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
      tag: "Events",
      bodyLimitBytes: EVENT_BODY_LIMIT_BYTES,
      bodies: { "application/json": eventToPublish, [CLOUD_EVENT_TYPE]: cloudEventToPublish },
      answer: { status: 202, data: publishedEvent, headers: ["Idempotency-Replayed"] },
      errors: PUBLISH_ERRORS,
      requestHeaders: ["Idempotency-Key"],
      admit: publish.admit(EVENT_BODY_LIMIT_BYTES),
      handle: publish.event,
    }),
    rawRoute({
      method: "POST",
      path: "/events/batch",
      scope: "write:events",
      summary: "Publish up to 1,000 events.",
      tag: "Events",
      bodyLimitBytes: BATCH_BODY_LIMIT_BYTES,
      bodies: {
        "application/json": batchToPublish,
        "application/x-ndjson": linesToPublish,
        [CLOUD_EVENT_BATCH_TYPE]: cloudEventsToPublish,
      },
      answer: { status: 202, data: batchResult },
      errors: BATCH_ERRORS,
      requestHeaders: ["Idempotency-Key"],
      admit: publish.admit(BATCH_BODY_LIMIT_BYTES),
      handle: publish.batch,
    }),
    ...eventRoutes(handlers.records, handlers.replays),
    ...moduleRoutes(handlers.modules),
    ...deliveryRoutes(handlers.records, handlers.retries),
    ...deadLetterRoutes(handlers.deliveryLogs, handlers.bulkRetries),
    ...parkedKeyRoutes(handlers.parkedKeys),
    ...deliveryActionRoutes(handlers.cancellations, handlers.oneRequests),
    ...webhookRoutes(handlers.webhooks, handlers.gaps),
    ...statisticsRoutes(handlers.deliveryLogs),
    ...cancelManyRoutes(handlers.bulkCancellations),
    ...replayJobRoutes(handlers.replayJobs),
    ...snapshotRoutes(handlers.snapshots),
    ...webhookReplayRoutes(handlers.webhookReplays),
    ...webhookActionRoutes(handlers.webhookStatuses, handlers.oneRequests),
    ...diagnoseRoutes(handlers.diagnoses, handlers.oneRequests),
    ...secretRotationRoutes(handlers.secretRotations),
    ...applyRoutes(handlers.applies),
    ...previewRoutes(handlers.previews),
    ...eventTypeRoutes(handlers.eventTypes),
    ...registeredTypeRoutes(handlers.registeredTypes),
    ...ruleRoutes(handlers.rules),
    ...codeTableRoutes(handlers.codeTables),
    ...apiKeyRoutes(handlers.apiKeys),
    ...readKeyRoutes(handlers.apiKeys),
    ...oauthRoutes(handlers.oauthClients, handlers.oauthGrants),
    ...companyRoutes(handlers.companies),
    ...routesBetween(handlers.routes),
    ...organisationRoutes(handlers.organisation),
    ...tenantRoutes(handlers.tenants),
    ...digestRoutes(handlers.digest),
    ...auditRoutes(handlers.audit),
    ...nodeRoutes(handlers.nodes),
  ];
}

/** The table with nothing behind it: to be read, for the reference; a handler that is called throws. */
export function routesToRead(): readonly Route[] {
  return routeTable({ publish: { admit: () => null } } as unknown as RouteHandlers);
}
