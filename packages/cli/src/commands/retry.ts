// posthorn retry: tries deliveries again now, by id or all dead letters of a webhook.
import type { DeadLetterFilter, Posthorn } from "@posthorn/client";
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
`,
    )
    .action(
      runs(async (io, options: RetryOptions, ids: string[]) => {
        const { deadLettersOf } = options;
        if (ids.length === 0 && deadLettersOf === undefined) {
          throw usageFailure("Which deliveries? Give ids, or --dead-letters-of WEBHOOK.");
        }
        const isFiltered = [deadLettersOf, options.type, options.from, options.to, options.dryRun].some(
          (value) => value !== undefined,
        );
        if (ids.length > 0 && isFiltered)
          throw usageFailure("Give ids, or --dead-letters-of and its filters; not both.");
        const posthorn = clientOf(options);
        if (deadLettersOf !== undefined) return retryDeadLetters(io, posthorn, deadLettersOf, options);
        return forEach(
          io,
          ids,
          (id) => posthorn.deliveries.retry(id),
          (id) => `${id} is tried now.`,
        );
      }),
    );
}

async function retryDeadLetters(io: Io, posthorn: Posthorn, webhook: string, options: RetryOptions): Promise<void> {
  const { type, from, to, dryRun } = options;
  const filter = { webhookId: await webhookIdOf(posthorn, webhook), type, from, to } as DeadLetterFilter;
  const { count: total } = await posthorn.deadLetters.retry({ ...filter, dryRun: true });
  if (dryRun === true) {
    if (io.isJson) return io.json({ dryRun: true, count: total });
    return io.say(`${total} dead letters would be tried again.`);
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
  io.say(`${retried} ${retried === 1 ? "delivery is" : "deliveries are"} tried now.`);
}
