// Wires what every other part stands on: clock, ids, connections, catalogue, configuration, secrets, the guarded client
// and the threads for large work. Knows no stage; what stages want to hear of the configuration comes in as hooks.
import { randomFillSync } from "node:crypto";
import { IdGenerator } from "@posthorn/contract";
import type { Catalogue } from "../catalogue/catalogue.ts";
import { defaultCatalogueFolder } from "../catalogue/folder.ts";
import { loadCatalogue } from "../catalogue/load.ts";
import { startTracing, type TracingParts } from "./tracing.ts";
import { DatabaseClock } from "../lib/clock.ts";
import { ClockWatch } from "../observe/clock-watch.ts";
import type { Log } from "../lib/log.ts";
import { Offload } from "../lib/offload.ts";
import { Counters } from "../observe/counters.ts";
import { createOutboundClient, type OutboundClient } from "../security/outbound/client.ts";
import { createVault, type Vault } from "../security/vault.ts";
import { Configuration, type Webhook } from "../storage/configuration.ts";
import { openPools, type Pools } from "../storage/pools.ts";
import { COUNTED_OUTCOMES } from "../storage/rollup-columns.ts";
import type { NodeOptions } from "./node-options.ts";

/** The parts that all others use. */
export interface Ground {
  readonly options: NodeOptions;
  readonly log: Log;
  readonly clock: DatabaseClock;
  readonly random: (target: Uint8Array) => void;
  readonly ids: IdGenerator;
  readonly pools: Pools;
  readonly catalogue: Catalogue;
  readonly vault: Vault;
  readonly offload: Offload;
  readonly outbound: OutboundClient;
  readonly configuration: Configuration;
  readonly counters: Counters;
  /** Null when no collector is set. */
  readonly tracing: TracingParts | null;
  /** Code of the last failure to reach the database; null once it has answered again. */
  readonly databaseProblem: () => string | null;
  /** The database may be away: once it is heard of again, everything owned is read. */
  readonly onDatabaseTrouble: () => void;
  /** What to do with an error that nobody waits for. */
  readonly logFailure: (what: string) => (error: unknown) => void;
}

export interface GroundHooks {
  readonly onWebhooksChanged: (changed: readonly Webhook[]) => void;
  /** The database was away and is back. */
  readonly onDatabaseBack: () => void;
}

export async function buildGround(options: NodeOptions, hooks: GroundHooks): Promise<Ground> {
  const { log } = options;
  const clock = options.clock ?? new DatabaseClock();
  const random = (target: Uint8Array): void => void randomFillSync(target);
  const ids = new IdGenerator(() => clock.nowMs(), random);
  let databaseTroubled = false;
  let databaseProblem: string | null = null;
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
  const clockWatch = new ClockWatch(log);
  const configuration = new Configuration({
    db: pools.control,
    clock,
    onChange: hooks.onWebhooksChanged,
    onPollError: (error) => {
      // The code alone: a message may name the database's address, and anybody may ask /readyz.
      const { code } = error as { code?: unknown };
      databaseProblem = typeof code === "string" ? code : null;
      log.warn({ err: error }, "the configuration could not be confirmed");
      onDatabaseTrouble();
    },
    onConfirmed: () => {
      databaseProblem = null;
      if (!databaseTroubled) return;
      databaseTroubled = false;
      hooks.onDatabaseBack();
    },
    onDatabaseTime: (databaseMs, sentMs, receivedMs) => clockWatch.see(clock.observe(databaseMs, sentMs, receivedMs)),
  });
  const logFailure = (what: string) => (error: unknown) => log.error({ err: error }, `${what} failed`);
  return {
    options,
    log,
    clock,
    random,
    ids,
    pools,
    catalogue,
    vault,
    offload,
    outbound,
    configuration,
    counters: new Counters(COUNTED_OUTCOMES),
    tracing: startTracing(options, () => clock.monotonicMs()),
    databaseProblem: () => databaseProblem,
    onDatabaseTrouble,
    logFailure,
  };
}
