// posthorn replay: delivers recorded events once more, as new deliveries with the same event ids.
import type { EventQuery, Posthorn, ReplayedEvent } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { usageFailure } from "../lib/exit.ts";
import { runs } from "../lib/run.ts";
import { timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface ReplayOptions extends ServerOptions {
  readonly webhook?: string;
  readonly type?: string;
  readonly reference?: string;
  readonly from?: string;
  readonly to?: string;
  readonly dryRun?: boolean;
}

export function registerReplay(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("replay"))
    .argument("[event...]", "evt_…, one or more")
    .option("--webhook <id or name>", "Only to this one, whatever its filters say")
    .option("--type <type>", "Instead of ids: all events of this type, or pattern; needs --webhook")
    .option("--reference <text>", "Instead of ids: all events of this business number; needs --webhook")
    .option("--from <time>", "Of these only from this time on", time)
    .option("--to <time>", "Of these only before this time", time)
    .option("--dry-run", "Only show which events")
    .addHelpText(
      "after",
      `
Receivers see the same webhook-id again: one that remembers ids takes a replay
for a repetition.

Examples:
  posthorn replay evt_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn replay --webhook "CRM Sync" --type 'customer.*' --from 2h --dry-run
`,
    )
    .action(
      runs(async (io, options: ReplayOptions, given: string[]) => {
        const { webhook, dryRun } = options;
        const isQuery = [options.type, options.reference, options.from, options.to].some(
          (value) => value !== undefined,
        );
        if (given.length > 0 === isQuery)
          throw usageFailure("Which events? Give ids, or --type, --reference, --from or --to.");
        if (isQuery && webhook === undefined)
          throw usageFailure("To which webhook? Give --webhook with its id or name.");
        const posthorn = clientOf(options);
        const to = webhook === undefined ? {} : { webhookId: await webhookIdOf(posthorn, webhook) };
        const ids = isQuery ? await matchingEvents(posthorn, options) : given;
        if (dryRun === true) {
          if (io.isJson) return io.json(ids);
          for (const id of ids) io.say(id);
          return io.note(`${ids.length} events would be delivered once more.`);
        }
        return forEach(io, ids, (id) => posthorn.events.replay(id, to), replayedText);
      }),
    );
}

function replayedText(id: string, { deliveries }: ReplayedEvent): string {
  if (deliveries.length === 0) return `${id} matches no webhook now.`;
  return `${id} is delivered again: ${deliveries.map((delivery) => delivery.id).join(" ")}`;
}

/** Oldest first, so that a receiver hears of things in the order in which they happened. */
async function matchingEvents(posthorn: Posthorn, options: ReplayOptions): Promise<string[]> {
  const { type, reference, from, to } = options;
  const ids: string[] = [];
  for await (const event of posthorn.events.list({ type, reference, from, to, limit: 200 } as EventQuery)) {
    ids.push(event.recordId ?? event.id);
  }
  return ids.reverse();
}
