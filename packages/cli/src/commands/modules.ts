// posthorn modules: who sends events, how many, and who has fallen silent.
import type { EventModule } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { shownTime } from "../lib/values.ts";

const COLUMNS: readonly Column<EventModule>[] = [
  { title: "NAME", text: (each) => each.name, shrinksTo: 10 },
  { title: "KIND", text: (each) => each.kind, goesAt: 2 },
  { title: "LAST EVENT", text: (each) => shownTime(each.lastEventAt) },
  { title: "LAST HOUR", text: (each) => String(each.lastHour) },
  { title: "USUAL", text: (each) => (each.usualPerHour === null ? "not known yet" : String(each.usualPerHour)) },
  { title: "SILENT SINCE", text: (each) => shownTime(each.silentSince) },
  { title: "FIRST EVENT", text: (each) => shownTime(each.firstEventAt), goesAt: 1 },
];
/** There are no more of a tenant. */
const ALL = 10_000;

export function registerModules(program: Command): void {
  withServer(program.command("modules"))
    .addHelpText("after", "\nExample:\n  posthorn modules\n")
    .action(
      runs(async (io, options: ServerOptions) => {
        await printList(io, clientOf(options).modules.list(), ALL, COLUMNS, "No events came yet.");
      }),
    );
}
