// The figures of the whole installation, read from the database when somebody asks and the last reading is old enough.
// Must never cost the database more than a twentieth of one core, whatever is pending and however often it is asked.
import type { Clock } from "../lib/clock.ts";
import type { Executor } from "../storage/pools.ts";
import type { Sample } from "./families.ts";
import {
  countNodes,
  type DigestFailures,
  type PendingRow,
  selectDigestFailures,
  selectOldestSnapshot,
  selectPending,
  type SnapshotHolder,
} from "./shared-figures.sql.ts";

export interface SharedReading {
  readonly pending: readonly PendingRow[];
  readonly nodes: number;
  readonly unownedLanes: number;
  readonly oldestSnapshot: SnapshotHolder | null;
  readonly partitionDaysAhead: number;
  readonly digestFailures: readonly DigestFailures[];
}

export interface SharedFiguresOptions {
  readonly engine: Executor;
  /** The login itself, which sees its own transactions whatever role they took. */
  readonly owner: Executor;
  readonly clock: Clock;
  /** Days after today for which every table of history has its partition. */
  readonly partitionDaysAhead: () => Promise<number>;
}

const LEAST_INTERVAL_MS = 10_000;
/** A reading that took a second is not repeated for twenty. */
const COST_FACTOR = 20;

export class SharedFigures {
  readonly #options: SharedFiguresOptions;
  #last: SharedReading | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #nextMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<SharedReading> | undefined;

  constructor(options: SharedFiguresOptions) {
    this.#options = options;
  }

  /** A reading that is not older than it has to be. Throws what the database throws. */
  async read(): Promise<SharedReading> {
    if (this.#last !== undefined && this.#options.clock.monotonicMs() < this.#nextMs) return this.#last;
    this.#reading ??= this.#readNow().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** For a scrape: the last reading stands in when the database does not answer, and its age says so. */
  async samples(): Promise<Sample[]> {
    await this.read().catch(() => undefined);
    const last = this.#last;
    if (last === undefined) return [];
    const ageS = (this.#options.clock.monotonicMs() - this.#readAtMs) / 1_000;
    const samples: Sample[] = [
      { name: "posthorn_nodes", labels: [], value: last.nodes },
      { name: "posthorn_oldest_snapshot_age_seconds", labels: [], value: last.oldestSnapshot?.age_s ?? 0 },
      { name: "posthorn_partition_days_ahead", labels: [], value: last.partitionDaysAhead },
      { name: "posthorn_shared_figures_age_seconds", labels: [], value: ageS },
    ];
    for (const channel of ["email", "chat"] as const) {
      const failing = last.digestFailures.find((row) => row.channel === channel)?.tenants ?? 0;
      samples.push({ name: "posthorn_digests_failing", labels: [channel], value: failing });
    }
    for (const isOwned of [true, false]) {
      const lanes = isOwned ? "owned" : "unowned";
      let oldestS = 0;
      for (const state of ["due", "scheduled", "held", "paused"] as const) {
        const row = last.pending.find((each) => each.is_owned === isOwned && each.state === state);
        if (state === "due") oldestS = row?.oldest_due_s ?? 0;
        samples.push({ name: "posthorn_deliveries_pending", labels: [lanes, state], value: row?.deliveries ?? 0 });
      }
      samples.push({ name: "posthorn_oldest_due_age_seconds", labels: [lanes], value: oldestS });
    }
    return samples;
  }

  async #readNow(): Promise<SharedReading> {
    const { engine, owner, clock, partitionDaysAhead } = this.#options;
    const startedMs = clock.monotonicMs();
    // One after the other: of the pool's few connections the deliveries need the rest.
    const pending = await selectPending(engine);
    const { alive, unowned_lanes: unownedLanes } = await countNodes(engine);
    const oldestSnapshot = await selectOldestSnapshot(owner);
    const last = {
      pending,
      nodes: alive,
      unownedLanes,
      oldestSnapshot,
      digestFailures: await selectDigestFailures(engine),
      partitionDaysAhead: await partitionDaysAhead(),
    };
    this.#last = last;
    this.#readAtMs = clock.monotonicMs();
    this.#nextMs = this.#readAtMs + Math.max(LEAST_INTERVAL_MS, COST_FACTOR * (this.#readAtMs - startedMs));
    return last;
  }
}
