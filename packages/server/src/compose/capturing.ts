// Wires capture and route: what is stored for an event and for whom, and the fan-outs that are expanded later. Decides
// no rule.
import { idFromUuid } from "@posthorn/contract";
import { Capture, type RouteEvent } from "../capture/capture.ts";
import { readPathText } from "../lib/json/read-path.ts";
import type { Clock } from "../lib/clock.ts";
import { Hearing } from "../maintain/modules/hearing.ts";
import { OrganisationFollower } from "../maintain/organisation/follow.ts";
import type { Tracing } from "../observe/tracing.ts";
import { ReplayRunner } from "../replay/job-runner.ts";
import { SnapshotRunner } from "../replay/snapshot-runner.ts";
import type { OrderingKeyOf } from "../replay/ordering.ts";
import { FanOuts } from "../route/fan-out.ts";
import { Matcher } from "../route/match.ts";
import { OrderingKeys } from "../route/ordering-key.ts";
import { RouteStage } from "../route/route.ts";
import { heardBy, wantedBy } from "../route/wanted.ts";
import type { DeliveryParts } from "./delivery.ts";
import type { Ground } from "./ground.ts";

export interface CapturingParts {
  readonly capture: Capture;
  readonly fanOuts: FanOuts;
  readonly matcher: Matcher;
  readonly replayRunner: ReplayRunner;
  readonly snapshotRunner: SnapshotRunner;
  /** By what replayed deliveries are ordered. */
  readonly orderingKeyOf: OrderingKeyOf;
  /** Who sends events. */
  readonly hearing: Hearing;
  readonly organisationFollower: OrganisationFollower;
}

export function buildCapturing(ground: Ground, delivery: DeliveryParts): CapturingParts {
  const { log, clock, ids, pools, catalogue, configuration, logFailure, onDatabaseTrouble, counters, tracing } = ground;
  const { failpoint } = ground.options;
  const { ownership, deliveries, signals } = delivery;
  const identity = () => ownership.identity;

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
  const orderingKeys = new OrderingKeys((webhook, { code, message }) =>
    log.warn(
      { webhook: webhook.id, version: webhook.version, code },
      `an ordering key could not be decided, so the event's own counts: ${message}`,
    ),
  );
  const routeStage = new RouteStage({
    catalogue,
    configuration,
    matcher,
    readText: (data, path) => readPathText(data, 0, data.length, path),
    newDeliveryId: (eventMs) => ids.next(eventMs),
    orderingKeys,
    reserve: (webhook, idBytes, event, orderingKey) => {
      const reservation = deliveries.reserve(webhook, idBytes, event, orderingKey);
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
  const hearing = new Hearing((type) => catalogue.get(type)?.module);
  const organisationFollower = new OrganisationFollower({
    engine: pools.engine,
    clock,
    log,
    newId: () => ids.next(),
    onConfigurationChanged: () => configuration.refresh(),
    typeNames: () => catalogue.types.keys(),
  });
  const capture = new Capture({
    db: pools.capture,
    clock,
    log,
    ids,
    identity,
    route: tracing === null ? (event) => routeStage.route(event) : tracedRoute(routeStage, tracing.tracing, clock),
    onStored: (event, takenMs, deliveryCount) => {
      hearing.heard(event, takenMs);
      organisationFollower.stored(event.sender.tenantUuid, event);
      tracing?.tracing.captured(event, event.sender.tenantUuid, takenMs, clock.nowMs(), deliveryCount);
    },
    onDatabaseTrouble,
    onBatch: (events, stored, commitMs) => counters.batchCaptured(events, stored, commitMs),
    onFenced: () => void ownership.beatNow().catch(logFailure("joining again")),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  const orderingKeyOf: OrderingKeyOf = (webhook, event, sentKey) =>
    orderingKeys.keyOf(webhook, sentKey, () => matcher.scopeOf(event, configuration.definitionsOf(webhook.tenantId)));
  const replayRunner = new ReplayRunner({
    db: pools.engine,
    clock,
    log,
    ids,
    identity,
    ownsLane: (lane) => ownership.owns(lane),
    lanes: () => ownership.lanes,
    holdLanes: (lanes) => deliveries.holdLanes(lanes),
    findWebhook: (tenantUuid, webhookUuid) =>
      configuration.webhook(idFromUuid("tenant", tenantUuid), idFromUuid("webhook", webhookUuid)),
    orderingKeyOf,
    wantedBy: (webhook, patterns, filters) =>
      wantedBy(catalogue, patterns, filters, () => configuration.definitionsOf(webhook.tenantId)),
    heardBy: async (webhook) => {
      const { organisation, routes } = await configuration.tenant(webhook.tenantId);
      return heardBy(
        catalogue,
        webhook,
        () => configuration.tenantNow(webhook.tenantId)?.organisation ?? organisation,
        () => configuration.tenantNow(webhook.tenantId)?.routes ?? routes,
        () => configuration.definitionsOf(webhook.tenantId),
      );
    },
    onWritten: (webhooks, inDoubt) => deliveries.wakeByIds(webhooks, inDoubt),
    ...(failpoint === undefined ? {} : { failpoint }),
  });
  const snapshotRunner = new SnapshotRunner({
    db: pools.engine,
    clock,
    log,
    ids,
    identity,
    ownsLane: (lane) => ownership.owns(lane),
    lanes: () => ownership.lanes,
    holdLanes: (lanes) => deliveries.holdLanes(lanes),
    findWebhook: (tenantUuid, webhookUuid) =>
      configuration.webhook(idFromUuid("tenant", tenantUuid), idFromUuid("webhook", webhookUuid)),
    orderingKeyOf,
    onWritten: (webhooks, inDoubt) => deliveries.wakeByIds(webhooks, inDoubt),
  });
  return { capture, fanOuts, matcher, replayRunner, snapshotRunner, orderingKeyOf, hearing, organisationFollower };
}

/** Routing, with a span for each event that is known afterwards. */
function tracedRoute(stage: RouteStage, tracing: Tracing, clock: Clock): RouteEvent {
  return (event) => {
    const startMs = clock.nowMs();
    const decision = stage.route(event);
    if (!(decision instanceof Promise)) {
      tracing.routed(event, startMs, clock.nowMs());
      return decision;
    }
    return decision.then((decided) => {
      tracing.routed(event, startMs, clock.nowMs());
      return decided;
    });
  };
}
