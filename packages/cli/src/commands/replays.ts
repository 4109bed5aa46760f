// posthorn replays: bulk replays that were started, how far they have come, and cancelling one.
import type { Replay } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface ReplaysOptions extends ServerOptions {
  readonly webhook?: string;
  readonly cancel?: boolean;
  readonly limit: number;
}

const COLUMNS: readonly Column<Replay>[] = [
  { title: "STATE", text: (replay) => (replay.dryRun ? `${replay.state} (dry run)` : replay.state) },
  { title: "REPLAY", text: (replay) => replay.id },
  { title: "WHICH", text: (replay) => replay.which, goesAt: 2 },
  { title: "EVENTS", text: (replay) => String(replay.count), align: "right" },
  { title: "DONE", text: (replay) => `${Math.floor(replay.progress * 100)} %`, align: "right" },
  { title: "STARTED", text: (replay) => shownTime(replay.createdAt), goesAt: 3 },
];

export function registerReplays(program: Command): void {
  withServer(program.command("replays"))
    .argument("[id]", "replay_…")
    .option("--webhook <id or name>", "Of this webhook")
    .option("--cancel", "End the one named; what it has made stays")
    .option("--limit <count>", "How many", countParser(1, 1_000), 20)
    .addHelpText(
      "after",
      `
Examples:
  posthorn replays --webhook "CRM Sync"
  posthorn replays replay_01KATEK0G3F3Q8T9W7M1N5V2XB --cancel
`,
    )
    .action(
      runs(async (io, options: ReplaysOptions, id: string | undefined) => {
        const posthorn = clientOf(options);
        if (options.cancel === true && id === undefined) throw usageFailure("--cancel needs the id of a replay.");
        if (id !== undefined) {
          return show(io, await (options.cancel === true ? posthorn.replays.cancel(id) : posthorn.replays.get(id)));
        }
        const webhookId = options.webhook === undefined ? undefined : await webhookIdOf(posthorn, options.webhook);
        const query = { ...(webhookId === undefined ? {} : { webhookId }), limit: Math.min(options.limit, 200) };
        return printList(io, posthorn.replays.list(query), options.limit, COLUMNS, "No bulk replays.");
      }),
    );
}

function show(io: Io, replay: Replay): void {
  if (io.isJson) return io.json(replay);
  io.fields([
    ["Replay", replay.id],
    ["State", replay.dryRun ? `${replay.state} (dry run)` : replay.state],
    ["Webhook", replay.webhookId],
    ["Which", replay.which],
    ["Events", `${replay.count} of ${replay.examined} looked at, ${Math.floor(replay.progress * 100)} % of the range`],
    ["Range", `${shownTime(replay.from)} to ${shownTime(replay.to)}`],
    ["Filter", replay.filter],
    ["Takes", replay.estimatedSeconds === null ? null : `about ${replay.estimatedSeconds} s`],
    ["Problem", replay.problem],
  ]);
}
