// Parts of statements that write attempts or dead letters: they add to rollup_tail what the statement changed, so that
// a webhook's figures and its rows can never disagree, whenever and however late a row is written.
// Must stand in the very statement: counting afterwards would need a clock to say what had been counted already, and a
// node that slept for an hour records attempts whose ids are an hour old.
import { DURATION_BOUNDS_MS } from "./rollup-columns.ts";

/** What the rows of `tallyOfAttempts` must have. */
export const TALLIED_ATTEMPT_COLUMNS =
  "tenant_id, webhook_id, started_at, duration_ms, response_status, ends_delivery, outcome, shares_request";
/** What the rows of `tallyOfDeadLetters` must have. */
export const TALLIED_DEAD_LETTER_COLUMNS = "tenant_id, webhook_id, dead_at";

const minuteOf = (column: string): string => `date_bin('1 minute', ${column}, timestamptz 'epoch')`;
const ARRIVED = "ends_delivery and outcome = 'delivered'";

/**
 * Counts attempts that were inserted: an attempt that `on conflict do nothing` left out is counted already. A request for
 * many deliveries counts once, what it delivered as often as there were deliveries.
 * @param rows name of a CTE with TALLIED_ATTEMPT_COLUMNS
 */
export function tallyOfAttempts(rows: string): string {
  return `insert into rollup_tail (tenant_id, webhook_id, minute, outcome, duration_bucket, id, last_delivered_at,
    duration_ms_sum, attempt_count, delivered_count)
  select tenant_id, webhook_id, ${minuteOf("started_at")}, outcome,
    case
      when response_status is not null then width_bucket(duration_ms, array[${DURATION_BOUNDS_MS.join(", ")}])
    end,
    gen_random_uuid(), max(started_at + duration_ms * interval '1 millisecond') filter (where ${ARRIVED}),
    coalesce(sum(duration_ms) filter (where not shares_request), 0), count(*) filter (where not shares_request),
    count(*) filter (where ${ARRIVED})
  from ${rows}
  group by 1, 2, 3, 4, 5`;
}

/**
 * Counts dead letters that were written, or takes back those that a retry removed, in the minute in which they died.
 * @param rows name of a CTE with TALLIED_DEAD_LETTER_COLUMNS
 */
export function tallyOfDeadLetters(rows: string, change: "added" | "taken_back"): string {
  return `insert into rollup_tail (tenant_id, webhook_id, minute, id, failed_count)
  select tenant_id, webhook_id, ${minuteOf("dead_at")}, gen_random_uuid(), ${change === "added" ? "" : "-"}count(*)
  from ${rows}
  group by 1, 2, 3`;
}
