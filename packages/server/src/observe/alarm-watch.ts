// Looks now and then whether there is something that an operator must hear of, and says it in the log. What all nodes
// see alike is said by the one that owns the first lane, or by all while lanes have no owner.
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { AlarmMemory, dueAge, sharedAlarms, upkeepAlarms } from "./alarms.ts";
import type { SharedFigures } from "./shared-figures.ts";

export interface AlarmWatchOptions {
  readonly shared: Pick<SharedFigures, "read">;
  readonly clock: Clock;
  readonly log: Log;
  readonly ownsFirstLane: () => boolean;
}

const AGES_KEPT = 5;

export class AlarmWatch {
  readonly #options: AlarmWatchOptions;
  readonly #memory = new AlarmMemory();
  readonly #upkeepFailures = new Map<string, number>();
  #ages: number[] = [];

  constructor(options: AlarmWatchOptions) {
    this.#options = options;
  }

  /** A job of upkeep has run. */
  upkeepRun(job: string, failed: boolean): void {
    if (failed) this.#upkeepFailures.set(job, (this.#upkeepFailures.get(job) ?? 0) + 1);
    else this.#upkeepFailures.delete(job);
  }

  /** Throws what the database throws: then there is nothing to be said but that. */
  async look(): Promise<void> {
    const { shared, clock, log, ownsFirstLane } = this.#options;
    const reading = await shared.read();
    const isMine = ownsFirstLane() || reading.unownedLanes > 0;
    const present = [...upkeepAlarms(this.#upkeepFailures), ...(isMine ? sharedAlarms(reading, this.#ages) : [])];
    this.#ages = [...this.#ages.slice(1 - AGES_KEPT), dueAge(reading, true)];
    const { raised, ended } = this.#memory.see(present, clock.monotonicMs());
    for (const { code, fields, message } of raised) log.warn({ alarm: code, ...fields }, message);
    for (const { code, about } of ended) log.info({ alarm: code, about }, "an alarm is over");
  }
}
