// posthorn replay: delivers recorded events once more, as new deliveries with the same event ids.
import type { Posthorn, ReplayedEvent, WebhookReplay } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { collect, timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface ReplayOptions extends ServerOptions {
  readonly webhook?: string;
  readonly from?: string;
  readonly to?: string;
  readonly type?: readonly string[];
  readonly dryRun?: boolean;
}

export function registerReplay(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("replay"))
    .argument("[event...]", "evt_…, one or more")
    .option("--webhook <id or name>", "Only to this one, whatever its filters say now")
    .option("--from <time>", "Instead of ids: what the webhook was owed from then on", time)
    .option("--to <time>", "Of these only before this time", time)
    .option("--type <types>", "Of these only these event types or patterns, by commas", collect)
    .option("--dry-run", "Of these only the count")
    .addHelpText(
      "after",
      `
Receivers see the same webhook-id again: one that remembers ids takes a replay
for a repetition.

Examples:
  posthorn replay evt_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn replay --webhook "CRM Sync" --from 2h --type 'customer.*' --dry-run
`,
    )
    .action(
      runs(async (io, options: ReplayOptions, ids: string[]) => {
        const { webhook, from } = options;
        const isRange = [from, options.to, options.type, options.dryRun].some((value) => value !== undefined);
        if (ids.length > 0 === isRange) throw usageFailure("Which events? Give ids, or --webhook and --from.");
        if (isRange && (webhook === undefined || from === undefined)) {
          throw usageFailure("A range needs both --webhook and --from.");
        }
        const posthorn = clientOf(options);
        const to = webhook === undefined ? {} : { webhookId: await webhookIdOf(posthorn, webhook) };
        if (from !== undefined && to.webhookId !== undefined) {
          return replayRange(io, posthorn, to.webhookId, { ...options, from });
        }
        return forEach(io, ids, (id) => posthorn.events.replay(id, to), replayedText);
      }),
    );
}

function replayedText(id: string, { deliveries }: ReplayedEvent): string {
  if (deliveries.length === 0) return `${id} matches no webhook now.`;
  return `${id} is delivered again: ${deliveries.map((delivery) => delivery.id).join(" ")}`;
}

async function replayRange(
  io: Io,
  posthorn: Posthorn,
  webhookId: string,
  { from, to, type, dryRun }: ReplayOptions & { readonly from: string },
): Promise<void> {
  const what = { from, to, types: type, dryRun } as WebhookReplay;
  let count = 0;
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const part = await posthorn.webhooks.replay(webhookId, { ...what, ...(cursor === undefined ? {} : { cursor }) });
    count += part.count;
    cursor = part.hasMore ? part.nextCursor : null;
    io.progress(`${count} events…`);
  }
  if (io.isJson) return io.json({ webhookId, dryRun: dryRun === true, count });
  io.say(`${count} ${count === 1 ? "event" : "events"} ${dryRun === true ? "would be" : "are"} delivered once more.`);
}
