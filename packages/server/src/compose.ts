// Builds one node: the only place that knows all parts and wires them. Reads no environment, decides no rule.
import { randomFillSync } from "node:crypto";
import type { AddressInfo } from "node:net";
import { type ErrorCode, formatId, IdGenerator, idFromUuid } from "@posthorn/contract";
import { AdmissionControl } from "./capture/admission.ts";
import { Capture, timestampOfId } from "./capture/capture.ts";
import { readPathText } from "./capture/scan/read-path.ts";
import type { ScanRefusal } from "./capture/scan/refusals.ts";
import type { ScannedBatch } from "./capture/scan/scan-batch.ts";
import type { ScannedEvent } from "./capture/scan/scan-event.ts";
import { shifted } from "./capture/scan/shifted.ts";
import { defaultCatalogueFolder } from "./catalogue/folder.ts";
import { loadCatalogue } from "./catalogue/load.ts";
import { resourceNamesOf } from "./catalogue/resource-names.ts";
import { Deliveries } from "./deliver/deliveries.ts";
import { Dispatch } from "./deliver/dispatch.ts";
import type { LeaseTimings } from "./deliver/lease.ts";
import { createSignals } from "./deliver/node-signals.ts";
import { OneRequests } from "./deliver/one-request.ts";
import { Ownership } from "./deliver/ownership.ts";
import { DeliveryMemory, type MemoryLimits } from "./deliver/queue.ts";
import { Bodies, type RenderedElsewhere } from "./deliver/render.ts";
import { Rates } from "./deliver/rate.ts";
import type { OpenSecret } from "./deliver/request.ts";
import type { Seal, SealPart } from "./deliver/seal.ts";
import { retryTimes } from "./deliver/retry-policy.ts";
import { Authenticator } from "./http/authenticate.ts";
import { addDocsRoutes, docsFolder, readDocs } from "./http/docs.ts";
import { addHealthRoutes } from "./http/health.ts";
import { DeliveryLogs } from "./http/read/delivery-logs.ts";
import { Records } from "./http/read/records.ts";
import { routeTable } from "./http/routes.ts";
import { publishHandlers } from "./http/routes/publish.ts";
import { createHttpServer } from "./http/server.ts";
import { DatabaseClock } from "./lib/clock.ts";
import type { Log } from "./lib/log.ts";
import { Offload } from "./lib/offload.ts";
import { ensurePartitions } from "./maintain/partitions.ts";
import { createUpkeep } from "./maintain/upkeep.ts";
import { ApiKeys } from "./manage/api-keys.ts";
import { AuditTrail } from "./manage/audit.ts";
import { Companies } from "./manage/companies.ts";
import { Applies } from "./manage/apply.ts";
import { disableGone } from "./manage/disable-gone.ts";
import { RegisteredTypes } from "./manage/event-types.ts";
import { KeyUsage } from "./manage/key-usage.ts";
import { Tenants } from "./manage/tenants.ts";
import { WebhookStatuses } from "./manage/webhook-status.ts";
import { SecretRotations } from "./manage/secret-rotation.ts";
import { createWarnings } from "./manage/warnings.ts";
import { Webhooks } from "./manage/webhooks.ts";
import { Recorder } from "./record/record.ts";
import { Cancellations } from "./replay/cancel.ts";
import { WebhookReplays } from "./replay/replay-webhook.ts";
import { Replays } from "./replay/replay.ts";
import { BulkRetries } from "./replay/retry-many.ts";
import { Retries } from "./replay/retry.ts";
import { FanOuts } from "./route/fan-out.ts";
import { Matcher } from "./route/match.ts";
import { RouteStage } from "./route/route.ts";
import type { AllowTargets } from "./security/addresses/allow-targets.ts";
import type { MasterKey } from "./security/master-key.ts";
import { checkUrl } from "./security/outbound/check-url.ts";
import { createOutboundClient } from "./security/outbound/client.ts";
import type { ResolveName } from "./security/outbound/resolver.ts";
import { SecretError } from "./security/ciphertext.ts";
import { createVault } from "./security/vault.ts";
import { Configuration } from "./storage/configuration.ts";
import { type ConnectionConfig, openPools } from "./storage/pools.ts";

/** Named moments at which crash tests end the process; inert in production. */
export type Failpoint =
  | "before_commit"
  | "after_commit"
  | "before_send"
  | "after_response"
  | "before_record"
  | "between_chunks";

export interface NodeOptions {
  readonly connection: ConnectionConfig;
  readonly withRoles: boolean;
  readonly masterKey: MasterKey;
  readonly allowTargets: AllowTargets;
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** True when nobody else can be alive on this database: the embedded one, under its lock. */
  readonly soleNode: boolean;
  readonly version: string;
  readonly log: Log;
  readonly lease?: LeaseTimings;
  readonly memory?: MemoryLimits;
  readonly resolve?: ResolveName;
  readonly furtherCas?: readonly string[];
  readonly clock?: DatabaseClock;
  readonly catalogueFolder?: string;
  readonly failpoint?: (name: Failpoint) => void;
}

export interface RunningNode {
  readonly id: string;
  /** `http://127.0.0.1:8420` */
  readonly url: string;
  /** The IP address that it listens on; 0.0.0.0 or :: for all. */
  readonly address: string;
  /** Finishes what runs, releases the lanes and closes everything; within 20 s. A second call waits for the first. */
  stop(): Promise<void>;
}

/** How long running requests may go on after the order to stop. */
const FINISH_MS = 14_000;

/** Starts a node on a migrated and bootstrapped database. */
export async function startNode(options: NodeOptions): Promise<RunningNode> {
  const { log, failpoint } = options;
  const clock = options.clock ?? new DatabaseClock();
  const random = (target: Uint8Array): void => void randomFillSync(target);
  const ids = new IdGenerator(() => clock.nowMs(), random);
  let databaseTroubled = false;
  const onDatabaseTrouble = (): void => {
    databaseTroubled = true;
  };
  const pools = openPools({
    connection: options.connection,
    withRoles: options.withRoles,
    onIdleError: (pool, error) => {
      log.debug({ pool, err: error }, "an idle connection was lost");
      onDatabaseTrouble();
    },
  });
  const catalogue = await loadCatalogue(options.catalogueFolder ?? defaultCatalogueFolder());
  const vault = createVault({ engine: pools.engine, masterKey: options.masterKey, clock, ids, random });
  const offload = new Offload();
  const outbound = createOutboundClient({
    allowTargets: options.allowTargets,
    nowMs: () => clock.monotonicMs(),
    ...(options.resolve === undefined ? {} : { resolve: options.resolve }),
    ...(options.furtherCas === undefined ? {} : { furtherCas: options.furtherCas }),
  });

  const configuration: Configuration = new Configuration({
    db: pools.control,
    clock,
    onChange: (changed) => {
      for (const webhook of changed) deliveries.webhookChanged(webhook);
    },
    onPollError: (error) => {
      log.warn({ err: error }, "the configuration could not be confirmed");
      onDatabaseTrouble();
    },
    onConfirmed: () => {
      if (!databaseTroubled) return;
      databaseTroubled = false;
      deliveries.readEverything();
    },
    onDatabaseTime: (databaseMs, sentMs, receivedMs) => clock.observe(databaseMs, sentMs, receivedMs),
  });

  const signals = createSignals(options.soleNode, {
    connection: options.connection,
    log,
    onHandedOver: (lanes) => {
      ownership.handedOver(lanes);
      if (lanes === undefined) fanOuts.wake();
    },
    onLanesToMove: () => ownership.lookNow(),
  });

  // --- deliver and record --------------------------------------------------------------------------------------
  const memory = new DeliveryMemory(options.memory);
  const ownership: Ownership = new Ownership({
    db: pools.control,
    handoffDb: pools.engine,
    clock,
    log,
    version: options.version,
    soleNode: options.soleNode,
    ...(options.lease === undefined ? {} : { lease: options.lease }),
    onAcquired: (lanes) => {
      deliveries.lanesAcquired(lanes);
      fanOuts.wake();
    },
    onBeat: () => fanOuts.wake(),
    onHandoff: (rows) => {
      deliveries.wakeByIds(rows).catch((error: unknown) => {
        logFailure("handed over deliveries")(error);
        deliveries.lanesAcquired(ownership.lanes);
      });
    },
    onCancelled: (notices) => deliveries.cancelled(notices),
    onDraining: (lanes) => deliveries.lanesDraining(lanes),
    drainedOf: (lanes) => deliveries.drainedOf(lanes),
    loads: () => deliveries.loads(),
    onReleased: (lanes) => {
      deliveries.lanesReleased(lanes);
      rates.forgetLanes(lanes);
    },
    onLanesToMove: () => signals.lanesToMove(),
    onLost: () => {
      dispatch.interrupt();
      deliveries.lanesLost();
      rates.forgetAll();
    },
  });
  const identity = () => ownership.identity;
  const logFailure = (what: string) => (error: unknown) => log.error({ err: error }, `${what} failed`);
  const deliveries = new Deliveries({
    db: pools.engine,
    clock,
    log,
    memory,
    ownsLane: (lane) => ownership.owns(lane),
    onHandedOff: (lane) => signals.handedOff(lane),
    findWebhook: (tenantId, webhookId) => configuration.webhook(tenantId, webhookId),
    timestampOfEvent: timestampOfId,
  });
  const recorder = new Recorder({
    db: pools.record,
    log,
    ids,
    identity,
    leaseHeld: () => ownership.maySend(),
    onDatabaseTrouble,
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  const rates = new Rates({
    monotonicMs: () => clock.monotonicMs(),
    tenureOf: (lane) => ownership.tenureOf(lane),
  });
  const namesOf = (eventType: string) => resourceNamesOf(catalogue, eventType);
  const bodies = new Bodies({
    namesOf,
    renderLarge: (data, job) => offload.run<RenderedElsewhere>("render", data, job),
  });
  const openSecret: OpenSecret = (webhook, secret) =>
    vault.decryptSecret({
      tenantUuid: webhook.tenantUuid,
      table: "secret",
      column: "ciphertext",
      rowId: secret.id,
      ciphertext: secret.ciphertext,
    });
  const sealLarge = (body: Buffer, parts: readonly SealPart[]): Promise<Seal> => offload.run<Seal>("seal", body, parts);
  const dispatch = new Dispatch({
    bodies,
    rates,
    clock,
    log,
    memory,
    sender: outbound,
    openSecret,
    sealLarge,
    mayStart: () => ownership.maySend() && configuration.isFresh(),
    record: ({ entry, attempt, verdict }) =>
      recorder.record({
        tenantBytes: entry.queue.webhook.tenantBytes,
        deliveryBytes: entry.idBytes,
        eventBytes: entry.event.idBytes,
        webhookBytes: entry.queue.webhook.bytes,
        retentionClass: entry.event.retentionClass,
        replayed: entry.replayed,
        verdict: verdict.kind,
        reason: "reason" in verdict ? verdict.reason : null,
        nextAttemptAtMs: verdict.kind === "retry" ? verdict.nextAttemptAtMs : null,
        attempt,
      }),
    onEndpointGone: (webhook) => {
      disableGone({ engine: pools.engine, clock, ids, nodeId: () => ownership.identity.id }, webhook)
        .then((changed) => (changed ? configuration.refresh() : undefined))
        .catch(logFailure("disabling a webhook whose endpoint is gone"));
    },
    onRoom: (queue) => deliveries.roomMade(queue),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  deliveries.attach(dispatch);
  const oneRequests = new OneRequests({ clock, bodies, sender: outbound, openSecret, sealLarge });

  // --- route and capture ----------------------------------------------------------------------------------------
  const fanOuts = new FanOuts({
    db: pools.engine,
    clock,
    log,
    ids,
    identity,
    ownsLane: (lane) => ownership.owns(lane),
    lanes: () => ownership.lanes,
    holdLanes: (lanes) => deliveries.holdLanes(lanes),
    onWritten: (webhooks, inDoubt) => deliveries.wakeByIds(webhooks, inDoubt),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  const matcher = new Matcher(catalogue, (webhook, { code, message }) =>
    log.warn({ webhook: webhook.id, version: webhook.version, code }, `a filter could not be decided: ${message}`),
  );
  const routeStage = new RouteStage({
    catalogue,
    configuration,
    matcher,
    readText: (data, path) => readPathText(data, 0, data.length, path),
    newDeliveryId: (eventMs) => ids.next(eventMs),
    reserve: (webhook, idBytes, event) => {
      const reservation = deliveries.reserve(webhook, idBytes, event);
      return {
        handoff: reservation.place === "other_node",
        activate: () => deliveries.activate(reservation),
        abandon: (unknown) => deliveries.abandon(reservation, unknown),
      };
    },
    // The list may stand in another node's lane.
    onFanOutStored: () => {
      fanOuts.wake();
      signals.handedOffSomewhere();
    },
  });
  const capture = new Capture({
    db: pools.capture,
    clock,
    log,
    ids,
    identity,
    route: (event) => routeStage.route(event),
    onDatabaseTrouble,
    onFenced: () => void ownership.beatNow().catch(logFailure("joining again")),
    ...(failpoint === undefined ? {} : { failpoint }),
  });

  // --- the face -------------------------------------------------------------------------------------------------
  let open = false;
  const documentationUrl = (code: ErrorCode): string => `/docs/errors#${code}`;
  const admission = new AdmissionControl(() => clock.monotonicMs());
  // Retried and replayed rows are written as hand-offs, whoever owns their lanes: all look at once.
  const wake = () => {
    ownership.handedOver();
    signals.handedOffSomewhere();
  };
  const newId = () => ids.next();
  const changes = { clock, newId, onConfigurationChanged: () => configuration.refresh() };
  const keyUsage = new KeyUsage({ engine: pools.engine, clock });
  const warningsOf = createWarnings(catalogue);
  const webhooks = new Webhooks({
    api: pools.api,
    clock,
    newId,
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
    onConfigurationChanged: () => configuration.refresh(),
  });
  const records = new Records({ api: pools.api, clock, retryTimes });
  const routes = routeTable({
    applies: new Applies({ api: pools.api, clock, webhooks, warningsOf }),
    records,
    previews: {
      api: pools.api,
      catalogue,
      records,
      webhooks,
      bodies,
      namesOf,
      warningsOf,
      newId,
      timestampOfEvent: timestampOfId,
      nowMs: () => clock.nowMs(),
    },
    deliveryLogs: new DeliveryLogs({ api: pools.api, clock }),
    retries: new Retries({ api: pools.api, clock, newId, wake }),
    bulkRetries: new BulkRetries({ api: pools.api, clock, newId, wake }),
    webhookReplays: new WebhookReplays({ api: pools.api, clock, newId, wake }),
    cancellations: new Cancellations({ api: pools.api, clock, newId, wake }),
    oneRequests: {
      api: pools.api,
      catalogue,
      requests: oneRequests,
      // Asked for one by one, so there is time to look whether another node has changed it meanwhile.
      findWebhook: async (tenantId, webhookUuid) => {
        await configuration.refresh();
        return configuration.webhook(tenantId, idFromUuid("webhook", webhookUuid));
      },
      newId,
      timestampOfEvent: timestampOfId,
    },
    replays: new Replays({
      api: pools.api,
      clock,
      newId,
      wake,
      routeAgain: async (event) => {
        const tenant = await configuration.tenant(idFromUuid("tenant", event.tenantUuid));
        return matcher.match(tenant, event).map((webhook) => webhook.uuid);
      },
    }),
    eventTypes: { catalogue, api: pools.api },
    registeredTypes: new RegisteredTypes({
      ...changes,
      api: pools.api,
      isPublished: (name) => catalogue.types.has(name),
    }),
    apiKeys: new ApiKeys({ ...changes, api: pools.api, random }),
    companies: new Companies({ ...changes, api: pools.api }),
    tenants: new Tenants({
      ...changes,
      api: pools.api,
      engine: pools.engine,
      random,
      vault,
      preparePartitions: async (days) => void (await ensurePartitions(pools.owner, clock.nowMs(), [days])),
    }),
    audit: new AuditTrail(pools.api),
    publish: publishHandlers({
      capture,
      admission,
      clock,
      documentationUrl,
      isOpen: () => open,
      scanLarge: async (body, start, end) =>
        shifted(await offload.run<ScannedEvent | ScanRefusal>("scanEvent", body.subarray(start, end)), start),
      scanLargeBatch: (body, isNdjson) =>
        offload.run<ScannedBatch | ScanRefusal>(isNdjson ? "scanNdjson" : "scanBatch", body),
    }),
    webhookStatuses: new WebhookStatuses({
      api: pools.api,
      clock,
      newId,
      onConfigurationChanged: () => configuration.refresh(),
    }),
    webhooks,
    secretRotations: new SecretRotations({ webhooks }),
  });
  const http = createHttpServer({
    routes,
    authenticator: new Authenticator({ api: pools.api, clock, configuration, onUse: (key) => keyUsage.note(key) }),
    clock,
    newRequestId: () => formatId("request", ids.next()),
    log,
    documentationUrl,
    version: options.version,
  });
  addHealthRoutes(http, () => ({ isOpen: open, isConnected: ownership.maySend() && configuration.isFresh() }));
  addDocsRoutes(http, readDocs(docsFolder()));
  const upkeep = createUpkeep({ pools, clock, log, writeKeyUses: () => keyUsage.flush() });

  // --- start and stop -------------------------------------------------------------------------------------------
  let stopping: Promise<void> | undefined;
  const stopOnce = async (): Promise<void> => {
    open = false;
    oneRequests.stop();
    await ownership.leave();
    await http.close();
    await capture.drained();
    deliveries.stop();
    dispatch.stop();
    const finished = dispatch.drained();
    const interruption = setTimeout(() => dispatch.interrupt(), FINISH_MS);
    await finished;
    clearTimeout(interruption);
    await recorder.drained();
    await fanOuts.stop();
    await ownership.stop();
    await signals.stop();
    configuration.stop();
    await upkeep.stop();
    await keyUsage.flush().catch(logFailure("writing down when keys were last used"));
    await Promise.all([outbound.close(), offload.stop()]);
    await pools.end();
  };
  try {
    await upkeep.runOnce("partitions");
    await configuration.start();
    deliveries.start();
    signals.start();
    await ownership.start();
    upkeep.start();
    await http.listen({ host: options.host, port: options.port });
    open = true;
  } catch (error) {
    await stopOnce().catch(logFailure("closing a node that could not start"));
    throw error;
  }
  const { address, port } = http.server.address() as AddressInfo;
  const shownHost = options.host.includes(":") ? `[${options.host}]` : options.host;
  return {
    id: ownership.identity.id,
    url: `http://${shownHost}:${port}`,
    address,
    stop() {
      stopping ??= stopOnce();
      return stopping;
    },
  };
}
