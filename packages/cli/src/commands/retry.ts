// posthorn retry: tries deliveries again now, by id or all dead letters of a webhook.
import type { DeliveryQuery, Posthorn } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { usageFailure } from "../lib/exit.ts";
import { runs } from "../lib/run.ts";
import { timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface RetryOptions extends ServerOptions {
  readonly deadLettersOf?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
}

export function registerRetry(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("retry"))
    .argument("[delivery...]", "dlv_…, one or more")
    .option("--dead-letters-of <webhook>", "All dead letters of this webhook, by id or name")
    .option("--type <type>", "Of these only this event type, or pattern")
    .option("--from <time>", "Of these only from this time on", time)
    .option("--to <time>", "Of these only before this time", time)
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
        if (ids.length > 0 && deadLettersOf !== undefined) {
          throw usageFailure("Give ids or --dead-letters-of, not both.");
        }
        const posthorn = clientOf(options);
        const wanted = deadLettersOf === undefined ? ids : await deadLettersOfWebhook(posthorn, deadLettersOf, options);
        return forEach(
          io,
          wanted,
          (id) => posthorn.deliveries.retry(id),
          (id) => `${id} is tried now.`,
        );
      }),
    );
}

/** Read before the first retry: what fails again joins the list anew. */
async function deadLettersOfWebhook(posthorn: Posthorn, webhook: string, options: RetryOptions): Promise<string[]> {
  const { type, from, to } = options;
  const webhookId = await webhookIdOf(posthorn, webhook);
  const query = { state: "dead_letter", webhookId, type, from, to, limit: 200 } as DeliveryQuery;
  const ids: string[] = [];
  for await (const delivery of posthorn.deliveries.list(query)) ids.push(delivery.id);
  return ids.reverse();
}
