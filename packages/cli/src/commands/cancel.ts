// posthorn cancel: ends deliveries that are pending or held, by id, of an event or of a webhook.
import type { CancelledMany, CancelMany } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { usageFailure } from "../lib/exit.ts";
import { runs } from "../lib/run.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface CancelOptions extends ServerOptions {
  readonly event?: string;
  readonly pendingOf?: string;
  readonly dryRun?: boolean;
}

const PART = 1_000;

export function registerCancel(program: Command): void {
  withServer(program.command("cancel"))
    .argument("[delivery...]", "dlv_…, one or more")
    .option("--event <id>", "All of this event that are pending or held")
    .option("--pending-of <webhook>", "All of this webhook that are pending or held, by id or name")
    .option("--dry-run", "Only count them")
    .addHelpText(
      "after",
      `
A request that is under way ends as it ends.

Examples:
  posthorn cancel dlv_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn cancel --event evt_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn cancel --pending-of "CRM Customer Synchronization" --dry-run
`,
    )
    .action(
      runs(async (io, options: CancelOptions, ids: string[]) => {
        const { event, pendingOf, dryRun = false } = options;
        const given = [ids.length > 0, event !== undefined, pendingOf !== undefined].filter(Boolean).length;
        if (given !== 1)
          throw usageFailure("Which deliveries? Give ids, --event ID, or --pending-of WEBHOOK; one of them.");
        if (ids.length > 0 && dryRun) throw usageFailure("--dry-run is not for ids.");
        const posthorn = clientOf(options);
        if (ids.length > 0) {
          return forEach(
            io,
            ids,
            (id) => posthorn.deliveries.cancel(id),
            (id) => `${id} is cancelled.`,
          );
        }
        const webhookId = pendingOf === undefined ? null : await webhookIdOf(posthorn, pendingOf);
        const cancelPart = (what: CancelMany): Promise<CancelledMany> =>
          webhookId === null
            ? posthorn.events.cancel(event as string, what)
            : posthorn.webhooks.cancelPending(webhookId, what);
        let count = 0;
        for (let hasMore = true; hasMore; ) {
          const part = await cancelPart(dryRun ? { dryRun } : { limit: PART });
          count += part.count;
          hasMore = part.hasMore && !dryRun;
          io.progress(`${count} cancelled…`);
        }
        if (io.isJson) return io.json({ dryRun, count });
        const deliveries = `${count} ${count === 1 ? "delivery" : "deliveries"}`;
        return io.say(`${deliveries} ${dryRun ? "would be" : count === 1 ? "is" : "are"} cancelled.`);
      }),
    );
}
