// Looks after endpoints that are in trouble for long: warns that a webhook will be disabled, disables it, warns of
// certificates that run out. Must never disable a webhook of whose endpoint nothing new was seen: the time runs from the
// first failure to the latest one, not to now.
import type { Log } from "../../lib/log.ts";
import type { Executor } from "../../storage/pools.ts";
import {
  announceCertificates,
  announceDisabling,
  type FailedRow,
  forgetFailing,
  selectFailedForTooLong,
} from "./troubled.sql.ts";

export interface TroubledOptions {
  readonly engine: Executor;
  readonly log: Log;
  readonly nowMs: () => number;
  /** Switches a webhook off, with an entry in the trail and a notice; false when it was changed meanwhile. */
  readonly disable: (row: FailedRow) => Promise<boolean>;
}

/** Percent of the time after which a webhook is disabled: then its owner is told. */
export const DISABLING_STEPS = [50, 70, 90];
const CERTIFICATE_WARNING_MS = 14 * 86_400_000;

export async function lookAfterTroubled({ engine, log, nowMs, disable }: TroubledOptions): Promise<void> {
  await announceDisabling(engine, nowMs(), DISABLING_STEPS);
  for (const row of await selectFailedForTooLong(engine)) {
    if (!(await disable(row))) continue;
    await forgetFailing(engine, row.tenant_id, row.webhook_id);
    log.warn(
      { webhook: row.webhook_id, reason: row.reason },
      "a webhook was disabled: its endpoint failed for 120 hours",
    );
  }
  await announceCertificates(engine, nowMs(), nowMs() + CERTIFICATE_WARNING_MS);
}
