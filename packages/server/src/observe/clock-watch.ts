// Says when the database's clock and this machine's do not agree: once when it begins, once when it is over. Readings come
// more than once a second; must never say one thing twice.
import type { Reading } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";

const ALARM = "CLOCKS_DIFFER";

export class ClockWatch {
  readonly #log: Pick<Log, "warn" | "info">;
  #isJumped = false;

  constructor(log: Pick<Log, "warn" | "info">) {
    this.#log = log;
  }

  see(reading: Reading): void {
    if (reading.kind === "followed") {
      if (this.#isJumped) this.#log.info({ alarm: ALARM }, "the database's clock is followed again");
      this.#isJumped = false;
      return;
    }
    const aheadSeconds = Math.round(reading.aheadMs / 1_000);
    if (reading.kind === "followed_against_wall") {
      this.#log.warn(
        { alarm: ALARM, aheadSeconds },
        "the database's clock and this machine's differ; the database's counts. Receivers refuse signatures with a wrong time: set the wrong one right",
      );
    } else if (!this.#isJumped) {
      this.#isJumped = true;
      this.#log.warn(
        { alarm: ALARM, aheadSeconds },
        "the database's clock has jumped and this machine's has not, so it is not followed: set the clock of the database's machine right. A node that is started meanwhile takes the wrong time",
      );
    }
  }
}
