// Wires what stands behind the routes: publishing, managing, reading, replaying. One entry for each handler of the table
// of routes. Decides no rule.
import { type ErrorCode, idFromUuid } from "@posthorn/contract";
import { AdmissionControl } from "../capture/admission.ts";
import { timestampOfId } from "../capture/capture.ts";
import type { ScanRefusal } from "../capture/scan/refusals.ts";
import type { ScannedBatch } from "../capture/scan/scan-batch.ts";
import type { ScannedEvent } from "../capture/scan/scan-event.ts";
import { shifted } from "../capture/scan/shifted.ts";
import { Diagnoses } from "../deliver/diagnose.ts";
import { retryTimes } from "../deliver/retry-policy.ts";
import { DeliveryLogs } from "../http/read/delivery-logs.ts";
import { ParkedKeyList } from "../http/read/parked-keys.ts";
import { readPathText } from "../lib/json/read-path.ts";
import { Records } from "../http/read/records.ts";
import type { RouteHandlers } from "../http/routes.ts";
import { publishHandlers } from "../http/routes/publish.ts";
import { ensurePartitions } from "../maintain/partitions.ts";
import { ApiKeys } from "../manage/api-keys.ts";
import { Applies } from "../manage/apply.ts";
import { AuditTrail } from "../manage/audit.ts";
import { Companies } from "../manage/companies.ts";
import { CODE_TABLE_BODIES, RULE_BODIES } from "../manage/definition-fields.ts";
import { DefinitionStore } from "../manage/definitions.ts";
import { DigestSettings } from "../manage/digest.ts";
import { OauthClients } from "../manage/oauth-clients.ts";
import { OauthGrants } from "../manage/oauth-grants.ts";
import { RegisteredTypes } from "../manage/event-types.ts";
import { RouteStore } from "../manage/routes.ts";
import { OrganisationTree } from "../manage/organisation.ts";
import { Modules } from "../manage/modules.ts";
import { Nodes } from "../manage/nodes.ts";
import { SecretRotations } from "../manage/secret-rotation.ts";
import { Tenants } from "../manage/tenants.ts";
import { createWarnings } from "../manage/warnings.ts";
import { WebhookStatuses } from "../manage/webhook-status.ts";
import { Webhooks } from "../manage/webhooks.ts";
import { BulkCancellations } from "../replay/cancel-many.ts";
import { Cancellations } from "../replay/cancel.ts";
import { Corrections } from "../replay/correct.ts";
import { ReplayJobs } from "../replay/jobs.ts";
import { ParkedKeys } from "../replay/parked.ts";
import { WebhookReplays } from "../replay/replay-webhook.ts";
import { Replays } from "../replay/replay.ts";
import { Snapshots } from "../replay/snapshots.ts";
import { BulkRetries } from "../replay/retry-many.ts";
import { Retries } from "../replay/retry.ts";
import { SecretError } from "../security/ciphertext.ts";
import { checkUrl } from "../security/outbound/check-url.ts";
import type { CapturingParts } from "./capturing.ts";
import type { DeliveryParts } from "./delivery.ts";
import type { TellingParts } from "./telling.ts";
import type { Ground } from "./ground.ts";

export interface HandlerHooks {
  readonly isOpen: () => boolean;
  readonly documentationUrl: (code: ErrorCode) => string;
  /** How people are reached. */
  readonly telling: TellingParts;
}

/** What also answers beside the table of routes. */
export interface OauthParts {
  readonly oauthClients: OauthClients;
  readonly oauthGrants: OauthGrants;
}

/** Everything that the table of routes needs. */
export function buildHandlers(
  ground: Ground,
  delivery: DeliveryParts,
  { capture, matcher, replayRunner, snapshotRunner, orderingKeyOf }: CapturingParts,
  { isOpen, documentationUrl, telling }: HandlerHooks,
): RouteHandlers & OauthParts {
  const { options, clock, random, ids, pools, catalogue, vault, offload, outbound, configuration } = ground;
  const { ownership, signals, bodies, namesOf, definitionsOf } = delivery;
  const newId = () => ids.next();
  const onConfigurationChanged = () => configuration.refresh();
  /** What every change needs. */
  const changes = { api: pools.api, clock, newId, onConfigurationChanged };
  // Retried and replayed rows are written as hand-offs, whoever owns their lanes: all look at once.
  const wake = () => {
    ownership.handedOver();
    signals.handedOffSomewhere();
  };
  const replaying = { api: pools.api, clock, newId, wake };
  const ordering = {
    findWebhook: (tenantUuid: string, webhookUuid: string) =>
      configuration.webhook(idFromUuid("tenant", tenantUuid), idFromUuid("webhook", webhookUuid)),
    orderingKeyOf,
  };

  const warningsOf = createWarnings(catalogue);
  const webhooks = new Webhooks({
    ...changes,
    random,
    rules: {
      checkUrl: (url) => checkUrl(url, options.allowTargets),
      catalogueNames: () => catalogue.types.keys(),
      warningsOf,
    },
    encryptSecret: (secret) => vault.encryptSecret(pools.engine, secret),
    decryptSecret: (secret) =>
      vault.decryptSecret(secret).catch((error: unknown) => {
        if (error instanceof SecretError) return null;
        throw error;
      }),
  });
  const records = new Records({ api: pools.api, clock, retryTimes });
  return {
    applies: new Applies({ api: pools.api, clock, webhooks, warningsOf }),
    records,
    previews: {
      api: pools.api,
      catalogue,
      records,
      webhooks,
      bodies,
      namesOf,
      tagsOf: (eventType) => catalogue.tagsOf(eventType),
      definitionsOf: async (tenantId) => {
        await configuration.tenant(tenantId);
        return definitionsOf(tenantId);
      },
      warningsOf,
      tenantOf: ({ tenantId }) => configuration.tenant(tenantId),
      newId,
      timestampOfEvent: timestampOfId,
      nowMs: () => clock.nowMs(),
    },
    deliveryLogs: new DeliveryLogs({ api: pools.api, clock }),
    retries: new Retries(replaying),
    bulkRetries: new BulkRetries(replaying),
    webhookReplays: new WebhookReplays({ ...replaying, ...ordering }),
    parkedKeys: {
      list: new ParkedKeyList(pools.api),
      parkedKeys: new ParkedKeys(replaying),
      corrections: new Corrections(replaying),
    },
    cancellations: new Cancellations(replaying),
    bulkCancellations: {
      cancellations: new BulkCancellations(replaying),
      findEvent: async (reader, id) => (await records.event(reader, id))?.event.id ?? null,
      hasWebhook: async ({ tenantUuid, livemode }, webhookUuid) => {
        const webhook = await configuration.webhook(
          idFromUuid("tenant", tenantUuid),
          idFromUuid("webhook", webhookUuid),
        );
        return webhook !== null && webhook.status !== "deleted" && webhook.livemode === livemode;
      },
    },
    replayJobs: {
      api: pools.api,
      findWebhook: (tenantId, webhookUuid) => configuration.webhook(tenantId, idFromUuid("webhook", webhookUuid)),
      jobs: new ReplayJobs({
        api: pools.api,
        clock,
        newId,
        wake: () => {
          replayRunner.wake();
          signals.handedOffSomewhere();
        },
      }),
    },
    oneRequests: {
      api: pools.api,
      catalogue,
      requests: delivery.oneRequests,
      // Asked for one by one, so there is time to look whether another node has changed it meanwhile.
      findWebhook: async (tenantId, webhookUuid) => {
        await configuration.refresh();
        return configuration.webhook(tenantId, idFromUuid("webhook", webhookUuid));
      },
      newId,
      timestampOfEvent: timestampOfId,
    },
    diagnoses: {
      diagnoses: new Diagnoses({ clock, outbound, requests: delivery.oneRequests, openSecret: delivery.openSecret }),
      catalogue,
      nowMs: () => clock.nowMs(),
    },
    replays: new Replays({
      ...replaying,
      ...ordering,
      routeAgain: async (event) => {
        const tenant = await configuration.tenant(idFromUuid("tenant", event.tenantUuid));
        return matcher.match(tenant, event).map((webhook) => webhook.uuid);
      },
    }),
    eventTypes: { catalogue, api: pools.api },
    registeredTypes: new RegisteredTypes({ ...changes, isPublished: (name) => catalogue.types.has(name) }),
    apiKeys: new ApiKeys({ ...changes, random }),
    oauthClients: new OauthClients(changes),
    oauthGrants: new OauthGrants({ ...changes, random }),
    rules: new DefinitionStore(changes, RULE_BODIES),
    codeTables: new DefinitionStore(changes, CODE_TABLE_BODIES),
    companies: new Companies(changes),
    organisation: new OrganisationTree(changes),
    routes: new RouteStore(changes),
    tenants: new Tenants({
      ...changes,
      engine: pools.engine,
      random,
      vault,
      preparePartitions: async (days) => void (await ensurePartitions(pools.owner, clock.nowMs(), [days])),
    }),
    digest: new DigestSettings({
      ...changes,
      engine: pools.engine,
      vault,
      checkUrl: (url) => checkUrl(url, options.allowTargets),
      telling,
    }),
    audit: new AuditTrail(pools.api),
    nodes: new Nodes(pools.engine),
    modules: new Modules({ api: pools.api, clock }),
    publish: publishHandlers({
      capture,
      admission: new AdmissionControl(() => clock.monotonicMs()),
      clock,
      documentationUrl,
      isOpen,
      scanLarge: async (body, start, end) =>
        shifted(await offload.run<ScannedEvent | ScanRefusal>("scanEvent", body.subarray(start, end)), start),
      scanLargeBatch: (body, isNdjson) =>
        offload.run<ScannedBatch | ScanRefusal>(isNdjson ? "scanNdjson" : "scanBatch", body),
    }),
    webhookStatuses: new WebhookStatuses(changes),
    webhooks,
    snapshots: {
      api: pools.api,
      catalogue,
      snapshots: new Snapshots({
        api: pools.api,
        clock,
        newId,
        referenceOf: (eventType, data) => {
          const path = catalogue.get(eventType)?.referencePath ?? null;
          const text = path === null ? null : readPathText(data, 0, data.length, path);
          return text === null || text === "" || text.length > 200 || text.includes("\u0000") ? null : text;
        },
        wake: () => {
          snapshotRunner.wake();
          signals.handedOffSomewhere();
        },
      }),
    },
    gaps: {
      countMissed: async (tenantId, webhookUuid, fromMs, toMs) => {
        const webhook = await configuration.webhook(tenantId, idFromUuid("webhook", webhookUuid));
        return webhook === null ? { count: 0, isMore: false } : replayRunner.countMissed(webhook, fromMs, toMs);
      },
    },
    secretRotations: new SecretRotations({ webhooks }),
  };
}
