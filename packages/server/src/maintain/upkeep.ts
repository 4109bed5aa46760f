// The one loop of everything that has to be done now and then, on every node: whoever comes first does it.
// It must never stop for an error, never keep a process alive, and never do one job twice at the same time.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { withLockIfFree } from "../storage/advisory-locks.sql.ts";
import type { Pools } from "../storage/pools.ts";
import { announceExpiring } from "./announce-expiring.sql.ts";
import { expireDeliveries, expireHeld } from "./expire.ts";
import { listRetentionClasses } from "./partitions.sql.ts";
import { dropExpiredPartitions, ensurePartitions } from "./partitions.ts";
import { deleteEndedNodes } from "./ended-nodes.sql.ts";
import { dropOldBatches } from "./batches.ts";
import { deleteOldCorrections } from "./corrections.sql.ts";
import { DAY_MS } from "./days.ts";
import { type DigestsOptions, tellPeople } from "./digest/digests.ts";
import type { Hearing } from "./modules/hearing.ts";
import { forgetOldModules, lookAtModules } from "./modules/modules.ts";
import { type PublishOperational, type RaiseOptions, raiseOperationalEvents } from "./operational/raise.ts";
import { lookAfterTroubled, type TroubledOptions } from "./operational/troubled.ts";
import { createKeyPurge } from "./purge-keys.ts";
import { retireSecrets } from "./retire-secrets.ts";
import { dropOldMinutes, foldRollups } from "./rollup.ts";
import { vacuumIfNeeded } from "./vacuum.ts";

/**
 * `vacuum`: the hot table. `partitions`: make those to come. `retention`: expire what is owed of old events, then
 * drop their days. `expiry`: what is near the end
 * of its webhook's expireAfter is told, what is held beyond it ends. `keys`: idempotency keys past their window. `rollup`: figures of webhooks. `secrets`:
 * signing secrets whose rotation is over. `keyUses`: when
 * API keys were last used, so once a minute for each at most. `alarms`: what an operator should hear of.
 * `troubled`: endpoints that fail for long, certificates that run out. `notices`: operational events are raised.
 * `digests`: people are told of them by mail and chat. `modules`: who sends events, and who fell silent. `checks`: endpoints
 * that nothing was sent to for long are tried.
 */
export type UpkeepKind =
  | "vacuum"
  | "partitions"
  | "retention"
  | "expiry"
  | "keys"
  | "rollup"
  | "secrets"
  | "keyUses"
  | "alarms"
  | "troubled"
  | "notices"
  | "digests"
  | "modules"
  | "checks";

/** Partitions every minute: one catalogue read, and the rescue after a clock was put forward or a machine slept. */
export const UPKEEP_INTERVALS_MS: Readonly<Record<UpkeepKind, number>> = {
  vacuum: 5_000,
  partitions: 60_000,
  retention: 600_000,
  expiry: 30_000,
  keys: 600_000,
  rollup: 10_000,
  secrets: 60_000,
  keyUses: 60_000,
  alarms: 60_000,
  troubled: 60_000,
  notices: 2_000,
  digests: 3_000,
  modules: 15_000,
  checks: 60_000,
};
const UPKEEP_KINDS = Object.keys(UPKEEP_INTERVALS_MS) as UpkeepKind[];
/** What is not urgent leaves the first seconds to the start of the node. */
const FIRST_MS = 10_000;
/** After a failure, if that is sooner. */
const RETRY_MS = 10_000;

/** Calls `run` once after `delayMs`, unless the function returned is called first. */
export type Schedule = (delayMs: number, run: () => void) => () => void;

export interface UpkeepOptions {
  readonly pools: Pick<Pools, "owner" | "engine">;
  readonly clock: Clock;
  readonly log: Log;
  /** Writes down when API keys were last used. */
  readonly writeKeyUses: () => Promise<void>;
  /** Says in the log what an operator should hear of. */
  readonly lookForAlarms: () => Promise<void>;
  readonly publishOperational: PublishOperational;
  readonly hasListener: RaiseOptions["hasListener"];
  /** Sends test requests to endpoints that nothing was sent to for long. */
  readonly checkQuiet: () => Promise<void>;
  /** What was heard since the last look. */
  readonly hearing: Hearing;
  /** How people are reached. */
  readonly telling: Pick<DigestsOptions, "sendMail" | "sendChat" | "openChatUrl">;
  /** Switches off a webhook whose endpoint failed for too long. */
  readonly disableFailed: TroubledOptions["disable"];
  /** Timers; a test passes its own. */
  readonly schedule?: Schedule;
  /** Told after every run, also of one that failed. */
  readonly onRun?: (kind: UpkeepKind, error: unknown) => void;
}

export interface Upkeep {
  /** Makes partitions at once, begins the other jobs a little later, then repeats each at its interval. */
  start(): void;
  /** No run begins after this; resolves when the ones under way have ended. A second call does nothing more. */
  stop(): Promise<void>;
  /** Runs one job now, or joins the run of it that is under way; throws what the job threw. */
  runOnce(kind: UpkeepKind): Promise<void>;
}

export function createUpkeep(options: UpkeepOptions): Upkeep {
  const jobs = createJobs(options);
  const schedule = options.schedule ?? scheduleUnref;
  const cancels = new Map<UpkeepKind, () => void>();
  const underWay = new Map<UpkeepKind, Promise<void>>();
  let running = false;

  const runOnce = (kind: UpkeepKind): Promise<void> => {
    const present = underWay.get(kind);
    if (present !== undefined) return present;
    const run = jobs[kind]().finally(() => underWay.delete(kind));
    underWay.set(kind, run);
    return run;
  };

  const runAndReport = async (kind: UpkeepKind): Promise<boolean> => {
    try {
      await runOnce(kind);
      options.onRun?.(kind, undefined);
      return true;
    } catch (error) {
      options.log.warn({ err: error, upkeep: kind }, `upkeep (${kind}) failed and will be tried again`);
      options.onRun?.(kind, error);
      return false;
    }
  };

  const next = (kind: UpkeepKind, delayMs: number): void => {
    if (!running) return;
    cancels.set(
      kind,
      schedule(delayMs, () => {
        if (!running) return;
        void runAndReport(kind).then((done) => {
          const intervalMs = UPKEEP_INTERVALS_MS[kind];
          next(kind, done ? intervalMs : Math.min(intervalMs, RETRY_MS));
        });
      }),
    );
  };

  return {
    start() {
      if (running) return;
      running = true;
      for (const kind of UPKEEP_KINDS)
        next(kind, kind === "partitions" ? 0 : Math.min(UPKEEP_INTERVALS_MS[kind], FIRST_MS));
    },
    async stop() {
      running = false;
      for (const cancel of cancels.values()) cancel();
      cancels.clear();
      await Promise.allSettled(underWay.values());
    },
    runOnce,
  };
}

function createJobs(options: UpkeepOptions): Record<UpkeepKind, () => Promise<void>> {
  const { pools, clock, log, telling } = options;
  const keyPurge = createKeyPurge(pools.engine);
  const makePartitions = async (): Promise<void> => {
    const made = await ensurePartitions(pools.owner, clock.nowMs(), await listRetentionClasses(pools.engine));
    if (made.length > 0) log.debug({ partitions: made.length, last: made.at(-1) }, "partitions made");
  };

  return {
    async vacuum() {
      await vacuumIfNeeded(pools.owner);
    },
    partitions: makePartitions,
    async retention() {
      const expired = await expireDeliveries(pools.owner, pools.engine, clock.nowMs());
      if (expired > 0) log.warn({ deliveries: expired }, "pending deliveries expired: their events are about to go");
      await dropOldMinutes(pools.engine, clock.nowMs());
      await forgetOldModules(pools.engine, clock.nowMs());
      await deleteEndedNodes(pools.engine, clock.nowMs());
      await dropOldBatches(pools.engine, clock.nowMs());
      for (const days of await listRetentionClasses(pools.engine)) {
        await deleteOldCorrections(pools.engine, days, clock.nowMs() - (days + 1) * DAY_MS);
      }
      const result = await dropExpiredPartitions(pools.owner, pools.engine, clock.nowMs());
      if (result === null) return;
      if (result.dropped.length > 0)
        log.info({ partitions: result.dropped }, "partitions past their retention dropped");
      if (result.kept.length > 0)
        log.warn({ partitions: result.kept }, "partitions kept: deliveries are still pending");
    },
    async expiry() {
      const told = await withLockIfFree(pools.owner, "expiring", () => announceExpiring(pools.engine, clock.nowMs()));
      if (told !== null && told > 0) log.warn({ deliveries: told }, "deliveries are about to expire");
      const expired = await expireHeld(pools.engine, clock.nowMs());
      if (expired > 0) log.info({ deliveries: expired }, "held deliveries are past their webhooks' expireAfter");
    },
    async keys() {
      const removed = await keyPurge.run(clock.nowMs());
      if (removed > 0) log.debug({ keys: removed }, "idempotency keys purged");
    },
    async rollup() {
      await foldRollups(pools.owner, pools.engine);
    },
    async secrets() {
      const retired = await retireSecrets(pools.engine, clock.nowMs());
      if (retired > 0)
        log.info({ secrets: retired }, "signing secrets destroyed: the overlap of their rotation is over");
    },
    keyUses: options.writeKeyUses,
    alarms: options.lookForAlarms,
    async troubled() {
      await lookAfterTroubled({
        engine: pools.engine,
        log,
        nowMs: () => clock.nowMs(),
        disable: options.disableFailed,
      });
    },
    async notices() {
      await raiseOperationalEvents({
        engine: pools.engine,
        clock,
        log,
        publish: options.publishOperational,
        isMailPossible: telling.sendMail !== undefined,
        hasListener: options.hasListener,
      });
    },
    async modules() {
      await lookAtModules({ engine: pools.engine, clock, hearing: options.hearing });
    },
    checks: options.checkQuiet,
    async digests() {
      await tellPeople({ engine: pools.engine, clock, log, ...telling });
    },
  };
}

/** A timer that does not keep the process alive. */
function scheduleUnref(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  timer.unref();
  return () => clearTimeout(timer);
}
