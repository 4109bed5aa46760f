// posthorn retry: tries deliveries again now, by id or all of a webhook that are dead letters or wait for their next try.
import type { DeadLetterFilter, DeliveryQuery, Posthorn } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface RetryOptions extends ServerOptions {
  readonly deadLettersOf?: string;
  readonly waitingOf?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
}

export function registerRetry(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("retry"))
    .argument("[delivery...]", "dlv_…, one or more")
    .option("--dead-letters-of <webhook>", "All dead letters of this webhook, by id or name")
    .option("--waiting-of <webhook>", "All of this webhook that failed and wait for their next try")
    .option("--type <type>", "Of these only this event type, or pattern")
    .option("--from <time>", "Of these only from this time on: 2026-11-23, or 2h ago", time)
    .option("--to <time>", "Of these only before this time", time)
    .option("--dry-run", "Only count them")
    .addHelpText(
      "after",
      `
Examples:
  posthorn retry dlv_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn retry --dead-letters-of "CRM Customer Synchronization" --from 1d
  posthorn retry --waiting-of "CRM Customer Synchronization"
`,
    )
    .action(
      runs(async (io, options: RetryOptions, ids: string[]) => {
        const { deadLettersOf, waitingOf } = options;
        const given = [ids.length > 0, deadLettersOf !== undefined, waitingOf !== undefined].filter(Boolean).length;
        if (given === 0) {
          throw usageFailure("Which deliveries? Give ids, --dead-letters-of WEBHOOK, or --waiting-of WEBHOOK.");
        }
        if (given > 1) throw usageFailure("Give ids, --dead-letters-of or --waiting-of; one of them.");
        const isFiltered = [options.type, options.from, options.to, options.dryRun].some(
          (value) => value !== undefined,
        );
        if (ids.length > 0 && isFiltered) throw usageFailure("--type, --from, --to and --dry-run are not for ids.");
        const posthorn = clientOf(options);
        if (deadLettersOf !== undefined) return retryDeadLetters(io, posthorn, deadLettersOf, options);
        const wanted = waitingOf === undefined ? ids : await waitingDeliveries(io, posthorn, waitingOf, options);
        if (options.dryRun === true) {
          if (io.isJson) return io.json({ dryRun: true, count: wanted.length });
          return io.say(`${wanted.length} ${wanted.length === 1 ? "delivery" : "deliveries"} would be tried now.`);
        }
        return forEach(
          io,
          wanted,
          (id) => posthorn.deliveries.retry(id),
          (id) => `${id} is tried now.`,
        );
      }),
    );
}

/** Oldest first; those not tried yet are on their way by themselves. */
async function waitingDeliveries(
  io: Io,
  posthorn: Posthorn,
  webhook: string,
  options: RetryOptions,
): Promise<string[]> {
  const { type, from, to } = options;
  const query = { state: "pending", webhookId: await webhookIdOf(posthorn, webhook), type, from, to, limit: 200 };
  const ids: string[] = [];
  for await (const { id, attemptCount } of posthorn.deliveries.list(query as DeliveryQuery)) {
    if (attemptCount > 0) ids.push(id);
    io.progress(`${ids.length} found…`);
  }
  return ids.reverse();
}

async function retryDeadLetters(io: Io, posthorn: Posthorn, webhook: string, options: RetryOptions): Promise<void> {
  const { type, from, to, dryRun } = options;
  const filter = { webhookId: await webhookIdOf(posthorn, webhook), type, from, to } as DeadLetterFilter;
  const { count: total } = await posthorn.deadLetters.retry({ ...filter, dryRun: true });
  if (dryRun === true) {
    if (io.isJson) return io.json({ dryRun: true, count: total });
    return io.say(`${total} dead ${total === 1 ? "letter" : "letters"} would be tried again.`);
  }
  let retried = 0;
  // Those that fail again meanwhile join the list anew: no more than there were at the beginning.
  for (let hasMore = total > 0; hasMore && retried < total; ) {
    const part = await posthorn.deadLetters.retry({ ...filter, limit: Math.min(1_000, total - retried) });
    retried += part.count;
    hasMore = part.hasMore && part.count > 0;
    io.progress(`${retried} of ${total}…`);
  }
  if (io.isJson) return io.json({ dryRun: false, count: retried });
  if (retried === 0) return io.note("There are no dead letters to try again.");
  io.say(`${retried} ${retried === 1 ? "delivery is" : "deliveries are"} tried now.`);
  io.note(`How they get on: posthorn tail --deliveries --webhook ${JSON.stringify(webhook)}`);
}
