// Wires deliver and record: who owns which lanes, what is owed, sending it, writing down what came of it. Decides no
// rule; what it must tell capture and route comes in as hooks.
import { idFromUuid } from "@posthorn/contract";
import { timestampOfId } from "../capture/capture.ts";
import { resourceNamesOf } from "../catalogue/resource-names.ts";
import { attemptLine } from "../deliver/attempt-line.ts";
import { Deliveries, type DeliveriesOptions } from "../deliver/deliveries.ts";
import { Dispatch } from "../deliver/dispatch.ts";
import { dissolveBatch, storeBatches, storeSurvivors } from "../deliver/gather/gather.sql.ts";
import { Gathering } from "../deliver/gather/gathering.ts";
import type { DefinitionsOf } from "../deliver/gather/plan.ts";
import { Endpoints } from "../deliver/endpoints.ts";
import { selectTroubled, storeHealth } from "../deliver/endpoints.sql.ts";
import { createSignals, type Signals } from "../deliver/node-signals.ts";
import { OneRequests } from "../deliver/one-request.ts";
import { Ownership } from "../deliver/ownership.ts";
import { DeliveryMemory, type Entry } from "../deliver/queue.ts";
import { QuietChecks } from "../deliver/quiet-checks.ts";
import { Rates } from "../deliver/rate.ts";
import { Bodies, type RenderedElsewhere } from "../deliver/render.ts";
import type { AttemptReport } from "../deliver/report.ts";
import type { OpenSecret } from "../deliver/request.ts";
import type { Seal, SealPart } from "../deliver/seal.ts";
import { isOperationalType } from "../lib/operational-types.ts";
import { switchByAnswer } from "../manage/switch-by-answer.ts";
import type { TracedAttempt } from "../observe/tracing.ts";
import { Recorder } from "../record/record.ts";
import type { Ground } from "./ground.ts";

export interface DeliveryParts {
  readonly signals: Signals;
  readonly ownership: Ownership;
  readonly deliveries: Deliveries;
  readonly gathering: Gathering;
  readonly dispatch: Dispatch;
  readonly endpoints: Endpoints;
  readonly recorder: Recorder;
  readonly memory: DeliveryMemory;
  readonly oneRequests: OneRequests;
  readonly quietChecks: QuietChecks;
  readonly bodies: Bodies;
  readonly openSecret: OpenSecret;
  /** How expressions may call the object of an event of this type. */
  readonly namesOf: (eventType: string) => ReturnType<typeof resourceNamesOf>;
  readonly definitionsOf: DefinitionsOf;
}

export interface DeliveryHooks {
  /** There may be stored fan-outs to expand, or bulk replays to work off. */
  readonly wakeStoredWork: () => void;
  /** Another node is no more: what it had begun may be undone. */
  readonly onDeclaredDead: () => void;
}

export function buildDelivery(ground: Ground, { wakeStoredWork, onDeclaredDead }: DeliveryHooks): DeliveryParts {
  const { options, log, clock, ids, pools, catalogue, vault, offload, outbound, configuration } = ground;
  const { logFailure, onDatabaseTrouble, counters, tracing } = ground;
  const { failpoint } = options;

  const wakeHandedOver = (rows: readonly { tenant_id: string; webhook_id: string }[]): void => {
    deliveries.wakeByIds(rows).catch((error: unknown) => {
      logFailure("handed over deliveries")(error);
      deliveries.lanesAcquired(ownership.lanes);
    });
  };
  const { siblings } = options;
  const signals = createSignals(options.soleNode, {
    connection: options.connection,
    log,
    siblings,
    isAnyNodeElsewhere: () => ownership.otherNodeIds.some((id) => siblings?.has(id) !== true),
    onHandedOver: (lanes) => {
      ownership.handedOver(lanes);
      if (lanes === undefined) wakeStoredWork();
    },
    // Read at once, with their mark: what is not delivered by the next look for marked rows is looked at once more.
    onToldOf: (webhooks) => {
      const own = webhooks.filter(({ lane }) => ownership.owns(lane));
      counters.handoffsTaken(own.length);
      wakeHandedOver(own);
    },
    onLanesToMove: () => ownership.lookNow(),
    onNodesEnded: (nodeIds) => ownership.ended(nodeIds),
  });
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
      // What an earlier owner knew of their endpoints comes first; without it, deliveries go on all the same.
      endpoints
        .lanesAcquired(lanes, (row) =>
          findWebhook(idFromUuid("tenant", row.tenant_id), idFromUuid("webhook", row.webhook_id)),
        )
        .catch(logFailure("reading the health of endpoints"))
        .finally(() => deliveries.lanesAcquired(lanes));
      wakeStoredWork();
    },
    onBeat: wakeStoredWork,
    onDeclaredDead,
    onHandoff: (rows) => {
      counters.handoffsTaken(rows.length);
      for (const row of rows) if (row.is_manual) endpoints.probeNow(idFromUuid("webhook", row.webhook_id));
      wakeHandedOver(rows);
    },
    onCancelled: (notices) => deliveries.cancelled(notices),
    onDraining: (lanes) => {
      deliveries.lanesDraining(lanes);
      endpoints.flush().catch(logFailure("writing down the health of endpoints"));
    },
    drainedOf: (lanes) => deliveries.drainedOf(lanes),
    figures: () => ({
      memoryBytes: process.memoryUsage.rss(),
      backlogCount: memory.entryCount,
      inFlightCount: dispatch.inFlightCount,
    }),
    loads: () => deliveries.loads(),
    onReleased: (lanes) => {
      deliveries.lanesReleased(lanes);
      rates.forgetLanes(lanes);
      endpoints.forgetLanes(lanes);
    },
    onLanesToMove: () => signals.lanesToMove(),
    onLost: () => {
      dispatch.interrupt();
      deliveries.lanesLost();
      rates.forgetAll();
      endpoints.forgetAll();
    },
  });
  const findWebhook: DeliveriesOptions["findWebhook"] = (tenantId, webhookId) =>
    configuration.webhook(tenantId, webhookId);
  const endpoints = new Endpoints({
    clock,
    log,
    ...(options.breaker === undefined ? {} : { timings: options.breaker }),
    load: (lanes) => selectTroubled(pools.engine, lanes),
    store: (rows) => storeHealth(pools.engine, ownership.identity, rows),
  });
  const deliveries = new Deliveries({
    db: pools.engine,
    clock,
    log,
    memory,
    ownsLane: (lane) => ownership.owns(lane),
    onHandedOff: (webhook) => {
      counters.handoffGiven();
      signals.handedOff(webhook);
    },
    endpoints,
    findWebhook,
    dissolveBatch: (batch, memberUuids) => dissolveBatch(pools.engine, ownership.identity, batch, memberUuids),
    timestampOfEvent: timestampOfId,
  });
  const recorder = new Recorder({
    db: pools.record,
    log,
    ids,
    identity: () => ownership.identity,
    leaseHeld: () => ownership.maySend(),
    onDatabaseTrouble,
    monotonicMs: () => clock.monotonicMs(),
    onBatch: (results, commitMs) => counters.batchRecorded(results, commitMs),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  const rates = new Rates({
    monotonicMs: () => clock.monotonicMs(),
    tenureOf: (lane) => ownership.tenureOf(lane),
  });
  const namesOf = (eventType: string) => resourceNamesOf(catalogue, eventType);
  const definitionsOf: DefinitionsOf = (tenantId) => configuration.definitionsOf(tenantId);
  const bodies = new Bodies({
    namesOf,
    tagsOf: (eventType) => catalogue.tagsOf(eventType),
    definitionsOf,
    renderLarge: (data, job) => offload.run<RenderedElsewhere>("render", data, job),
    renderLargeBatch: (body, shape, definitions) =>
      offload.run<RenderedElsewhere>("renderBatch", body, shape, definitions),
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
  const gathering = new Gathering({
    clock,
    log,
    memory,
    namesOf,
    definitionsOf,
    newId: () => ids.next(),
    storeBatches: (batches) => storeBatches(pools.engine, ownership.identity, batches),
    storeSurvivors: (survivors) => storeSurvivors(pools.engine, ownership.identity, survivors),
    ownsLane: (lane) => ownership.owns(lane),
    onReady: (queue) => dispatch.pump(queue),
    onSpilled: (queue) => deliveries.spilled(queue, false),
    onDoubt: (queue) => deliveries.spilled(queue, true),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  // Asked once: at other levels an attempt does not even cost the question.
  const logsAttempts = log.isLevelEnabled("debug");
  const dispatch: Dispatch = new Dispatch({
    endpoints,
    isOperational: isOperationalType,
    bodies,
    gathering,
    rates,
    clock,
    log,
    memory,
    sender: outbound,
    openSecret,
    sealLarge,
    isTracing: tracing !== null,
    orderWaitMs: (webhook) => {
      const tenure = ownership.tenureOf(webhook.lane);
      if (tenure === undefined || !tenure.isUnclean) return 0;
      return Math.max(0, tenure.monotonicMs + webhook.timeoutMs - clock.monotonicMs());
    },
    ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
    mayStart: () => ownership.maySend() && configuration.isFresh(),
    record: (reports) => {
      for (const report of logsAttempts ? reports : []) {
        const { attempt } = report;
        if (attempt !== null) log.debug(attemptLine({ ...report, attempt }, ownership.identity.id), "attempt");
      }
      for (const { entry, attempt } of tracing === null ? [] : reports) {
        if (attempt !== null) tracing?.tracing.attempted(tracedAttempt(entry, attempt));
      }
      return recorder.record(
        reports.map(({ entry, attempt, verdict }) => ({
          tenantBytes: entry.queue.webhook.tenantBytes,
          deliveryBytes: entry.idBytes,
          eventBytes: entry.event.idBytes,
          webhookBytes: entry.queue.webhook.bytes,
          retentionClass: entry.event.retentionClass,
          replayed: entry.replayed,
          verdict: verdict.kind,
          reason: "reason" in verdict ? verdict.reason : null,
          nextAttemptAtMs: verdict.kind === "retry" ? verdict.nextAttemptAtMs : null,
          isAwaited: entry.orderingKey !== null,
          attempt,
        })),
      );
    },
    onSwitch: (webhook, consequence) => {
      switchByAnswer({ engine: pools.engine, clock, ids, nodeId: () => ownership.identity.id }, webhook, consequence)
        .then((changed) => (changed ? configuration.refresh() : undefined))
        .catch(logFailure("switching a webhook off because of an answer"));
    },
    onRoom: (queue) => deliveries.roomMade(queue),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  deliveries.attach(dispatch, gathering);
  const oneRequests = new OneRequests({
    clock,
    bodies,
    namesOf,
    definitionsOf,
    sender: outbound,
    openSecret,
    sealLarge,
  });
  const quietChecks = new QuietChecks({
    db: pools.engine,
    clock,
    log,
    lanes: () => [...ownership.lanes],
    ownsLane: (lane) => ownership.owns(lane),
    maySend: () => ownership.maySend() && configuration.isFresh(),
    findWebhook,
    requests: oneRequests,
    endpoints,
    newId: () => ids.next(),
  });
  return {
    signals,
    ownership,
    deliveries,
    gathering,
    dispatch,
    endpoints,
    recorder,
    memory,
    oneRequests,
    quietChecks,
    bodies,
    openSecret,
    namesOf,
    definitionsOf,
  };
}

function tracedAttempt(entry: Entry, attempt: AttemptReport): TracedAttempt {
  const { event, idBytes, queue } = entry;
  return {
    event: { ...event, traceContext: event.traceContext ?? null },
    deliveryBytes: idBytes,
    webhookId: queue.webhook.id,
    number: attempt.number,
    startMs: attempt.startedAtMs,
    endMs: attempt.endedAtMs,
    outcome: attempt.outcome,
    method: attempt.method,
    url: attempt.url,
    status: attempt.result.kind === "responded" ? attempt.result.status : null,
  };
}
