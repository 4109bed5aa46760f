// Wires what tells others how the node is: readiness, figures for a scrape. Decides no rule.
import { listRetentionClasses } from "../maintain/partitions.sql.ts";
import { partitionDaysAhead } from "../maintain/partitions.ts";
import { AlarmWatch } from "../observe/alarm-watch.ts";
import { type Figures, renderFigures, type Sample } from "../observe/families.ts";
import { watchProcess } from "../observe/process-figures.ts";
import { type Readiness, readinessOf } from "../observe/readiness.ts";
import { SharedFigures } from "../observe/shared-figures.ts";
import type { DeliveryParts } from "./delivery.ts";
import type { Ground } from "./ground.ts";

export interface ObservingParts {
  readonly readiness: () => Readiness;
  /** The text of one scrape. */
  readonly metricsText: () => Promise<string>;
  /** What this process says of itself. */
  readonly ownFigures: () => Figures;
  readonly alarms: AlarmWatch;
  /** A job of upkeep has run. */
  readonly upkeepRun: (job: string, failed: boolean) => void;
  stop(): void;
}

/** Its name when it is the only process of its node. */
const ONLY_PROCESS = "1";

export function buildObserving(
  ground: Ground,
  delivery: DeliveryParts,
  stage: () => "starting" | "open" | "stopping",
): ObservingParts {
  const { options, log, clock, pools, configuration, counters } = ground;
  const { ownership, deliveries, dispatch, memory } = delivery;
  const processFigures = watchProcess();
  const startedAtS = clock.nowMs() / 1_000;
  const shared = new SharedFigures({
    engine: pools.engine,
    owner: pools.owner,
    clock,
    partitionDaysAhead: async () =>
      partitionDaysAhead(pools.owner, clock.nowMs(), await listRetentionClasses(pools.engine)),
  });
  const alarms = new AlarmWatch({ shared, clock, log, ownsFirstLane: () => ownership.owns(0) });
  const readiness = (): Readiness =>
    readinessOf({
      stage: stage(),
      configurationAgeMs: configuration.ageMs(),
      isConfigurationFresh: configuration.isFresh(),
      leaseLeftMs: ownership.leaseLeftMs(),
      databaseProblem: ground.databaseProblem(),
    });

  const ownSamples = (): Sample[] => {
    const gauges = [
      ["posthorn_ready", readiness().isReady ? 1 : 0],
      ["posthorn_started_seconds", startedAtS],
      ["posthorn_requests_in_flight", dispatch.inFlightCount],
      ["posthorn_queued_deliveries", memory.entryCount],
      ["posthorn_queued_webhooks", deliveries.queueCount],
      ["posthorn_queue_bytes", memory.byteLength],
      ["posthorn_queue_max_bytes", memory.limits.maxBytes],
      ["posthorn_lanes_owned", ownership.laneCount],
      ["posthorn_configuration_age_seconds", configuration.ageMs() / 1_000],
      ["posthorn_lease_seconds", ownership.leaseLeftMs() / 1_000],
    ] as const;
    const samples: Sample[] = [
      { name: "posthorn_build_info", labels: [options.version], value: 1 },
      ...gauges.map(([name, value]): Sample => ({ name, labels: [], value })),
      ...counters.samples(),
      ...processFigures.samples(),
      ...(ground.tracing?.exporter.samples() ?? []),
    ];
    for (const [name, { totalCount, idleCount, waitingCount }] of pools.named) {
      samples.push({ name: "posthorn_pool_connections", labels: [name, "busy"], value: totalCount - idleCount });
      samples.push({ name: "posthorn_pool_connections", labels: [name, "idle"], value: idleCount });
      samples.push({ name: "posthorn_pool_waiting", labels: [name], value: waitingCount });
    }
    return samples;
  };

  const ownFigures = (): Figures => ({ process: options.processName ?? ONLY_PROCESS, samples: ownSamples() });

  return {
    readiness,
    ownFigures,
    alarms,
    upkeepRun(job, failed) {
      counters.upkeepRun(job, failed);
      alarms.upkeepRun(job, failed);
    },
    async metricsText() {
      const [sharedSamples, others] = await Promise.all([shared.samples(), options.figuresOfOthers?.() ?? []]);
      return renderFigures([{ process: null, samples: sharedSamples }, ...inOrder([ownFigures(), ...others])]);
    },
    stop: () => processFigures.stop(),
  };
}

/** The same order whichever process is asked. */
function inOrder(all: readonly Figures[]): Figures[] {
  return [...all].sort((a, b) => Number(a.process) - Number(b.process));
}
