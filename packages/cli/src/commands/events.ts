// posthorn events: what was published, as a list or one by one.
import type { EventHead, EventQuery } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { deliveryColumns } from "../lib/delivery-columns.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime, timeParser } from "../lib/values.ts";

interface EventsOptions extends ServerOptions {
  readonly type?: string;
  readonly reference?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

const COLUMNS: readonly Column<EventHead>[] = [
  { title: "ID", text: (event) => event.id },
  { title: "EVENT", text: (event) => event.event, shrinksTo: 12 },
  { title: "REFERENCE", text: (event) => event.reference ?? "", shrinksTo: 8, goesAt: 1 },
  { title: "DELIVERIES", text: (event) => String(event.deliveryCount), goesAt: 3, align: "right" },
  { title: "HAPPENED", text: (event) => shownTime(event.timestamp), goesAt: 2 },
];

export function registerEvents(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("events"))
    .argument("[id]", "evt_…, or the sender's own id")
    .option("--type <type>", "An event type, or a pattern: invoice.*")
    .option("--reference <text>", "The business number: INV-00871")
    .option("--from <time>", "From this time on: 2026-11-23T08:00:00Z, 2026-11-23, or 2h ago", time)
    .option("--to <time>", "Before this time", time)
    .option("--limit <count>", "How many", countParser(1, 100_000), 20)
    .addHelpText(
      "after",
      `
Examples:
  posthorn events --type 'invoice.*' --from 2h
  posthorn events --reference INV-00871
  posthorn events evt_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn events --json --limit 1000 | jq -r '.[].event' | sort | uniq -c
`,
    )
    .action(
      runs(async (io, options: EventsOptions, id: string | undefined) => {
        const posthorn = clientOf(options);
        if (id !== undefined) return showEvent(io, await posthorn.events.get(id));
        const { type, reference, from, to, limit } = options;
        const query = { type, reference, from, to, limit: Math.min(limit, 200) } as EventQuery;
        await printList(io, posthorn.events.list(query), limit, COLUMNS, "No events.");
      }),
    );
}

function showEvent(io: Io, event: Awaited<ReturnType<ReturnType<typeof clientOf>["events"]["get"]>>): void {
  if (io.isJson) return io.json(event);
  io.fields([
    ["Event", event.event],
    ["Id", event.id],
    ["Record", event.recordId],
    ["Reference", event.reference],
    ["Happened", shownTime(event.timestamp)],
    ["Received", shownTime(event.receivedAt)],
    ["Mode", event.livemode ? "live" : "sandbox"],
    ["Erased", event.erasedAt === undefined ? null : shownTime(event.erasedAt)],
    ["Context", event.context === undefined ? null : JSON.stringify(event.context)],
  ]);
  io.heading(`Deliveries (${event.deliveryCount})`);
  io.table(event.deliveries, deliveryColumns(io), "No webhook asked for this event.");
  io.heading("Data");
  // What a sender wrote may hold anything; JSON.stringify escapes what would steer a terminal, C1 characters apart.
  for (const line of JSON.stringify(event.data, null, 2)
    .replaceAll(/[\u007f-\u009f]/g, "�")
    .split("\n"))
    io.say(line);
}
