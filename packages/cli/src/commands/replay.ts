// posthorn replay: delivers recorded events once more, as new deliveries with the same event ids. A range is worked off by
// the server; this command only watches, so it may be stopped.
import type { NewReplay, Posthorn, Replay, ReplayedEvent } from "@posthorn/client";
import { type Command, Option } from "commander";
import { setTimeout as delay } from "node:timers/promises";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { EXIT, type ExitCode, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { collect, timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface ReplayOptions extends ServerOptions {
  readonly webhook?: string;
  readonly from?: string;
  readonly to?: string;
  readonly type?: readonly string[];
  readonly which?: NewReplay["which"];
  readonly filter?: string;
  readonly dryRun?: boolean;
}

const LOOK_MS = 200;

export function registerReplay(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("replay"))
    .argument("[event...]", "evt_…, one or more")
    .option("--webhook <id or name>", "Only to this one, whatever its filters say now")
    .option("--from <time>", "Instead of ids: what the webhook was owed from then on", time)
    .option("--to <time>", "Of these only before this time", time)
    .option("--type <types>", "Of these only these event types or patterns, by commas", collect)
    .addOption(
      new Option(
        "--which <which>",
        "Of the range: what it was owed, what it missed (before it existed, while it was off), or all that matches it now",
      ).choices(["owed", "missed", "all"]),
    )
    .option("--filter <expression>", "Of these only events that pass")
    .option("--dry-run", "Of these only the count, and how long it would take")
    .addHelpText(
      "after",
      `
Receivers see the same webhook-id again: one that remembers ids takes a replay
for a repetition. A range goes on when this command is stopped: see posthorn
replays.

Examples:
  posthorn replay evt_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn replay --webhook "CRM Sync" --from 2h --type 'customer.*' --dry-run
  posthorn replay --webhook "CRM Sync" --from 2026-11-01 --which missed
`,
    )
    .action(
      runs(async (io, options: ReplayOptions, ids: string[]) => {
        const { webhook, from, to, type, which, filter, dryRun } = options;
        const isRange = [from, to, type, which, filter, dryRun].some((value) => value !== undefined);
        if (ids.length > 0 === isRange) throw usageFailure("Which events? Give ids, or --webhook and --from.");
        if (isRange && (webhook === undefined || from === undefined)) {
          throw usageFailure("A range needs both --webhook and --from.");
        }
        const posthorn = clientOf(options);
        const target = webhook === undefined ? {} : { webhookId: await webhookIdOf(posthorn, webhook) };
        if (from !== undefined && target.webhookId !== undefined) {
          const what = { webhookId: target.webhookId, from, to, types: type, which, filter, dryRun };
          return replayRange(io, posthorn, what as NewReplay);
        }
        return forEach(io, ids, (id) => posthorn.events.replay(id, target), replayedText);
      }),
    );
}

function replayedText(id: string, { deliveries }: ReplayedEvent): string {
  if (deliveries.length === 0) return `${id} matches no webhook now.`;
  return `${id} is delivered again: ${deliveries.map((delivery) => delivery.id).join(" ")}`;
}

async function replayRange(io: Io, posthorn: Posthorn, what: NewReplay): Promise<ExitCode> {
  let replay = await posthorn.replays.start(what);
  while (replay.state === "running") {
    io.progress(`${replay.id}: ${replay.count} events, ${Math.floor(replay.progress * 100)} %…`);
    await delay(LOOK_MS);
    replay = await posthorn.replays.get(replay.id);
  }
  if (io.isJson) io.json(replay);
  else sayEnd(io, replay);
  return replay.state === "done" ? EXIT.ok : EXIT.failed;
}

function sayEnd(io: Io, replay: Replay): void {
  const events = `${replay.count} ${replay.count === 1 ? "event" : "events"}`;
  const isOne = replay.count === 1;
  switch (replay.state) {
    case "done": {
      const would = replay.dryRun ? "would be" : isOne ? "is" : "are";
      const seconds = replay.estimatedSeconds;
      const estimate = replay.dryRun && seconds !== null && seconds > 1 ? ` That takes about ${seconds} s.` : "";
      return io.say(`${events} ${would} delivered once more.${estimate}`);
    }
    case "cancelled":
      return io.say(`Cancelled after ${events}.`);
    case "failed":
      return io.note(`Stopped after ${events}: ${replay.problem}`);
    case "running":
      return;
    default:
      replay.state satisfies never;
  }
}
