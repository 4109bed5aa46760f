// posthorn nodes: the processes of the installation, who owns how much and is how far behind.
import type { PosthornNode } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime } from "../lib/values.ts";

const COLUMNS: readonly Column<PosthornNode>[] = [
  { title: "ID", text: (node) => node.id, goesAt: 6 },
  { title: "HOST", text: (node) => node.host, shrinksTo: 8 },
  { title: "PID", text: (node) => String(node.processId) },
  { title: "STATUS", text: (node) => node.status },
  { title: "VERSION", text: (node) => node.version, goesAt: 5 },
  { title: "STARTED", text: (node) => shownTime(node.startedAt), goesAt: 4 },
  { title: "BEAT", text: (node) => `${(node.beatAgeMs / 1_000).toFixed(1)} s` },
  { title: "LANES", text: (node) => String(node.lanes) },
  { title: "BACKLOG", text: (node) => String(node.backlog) },
  { title: "IN FLIGHT", text: (node) => String(node.inFlight), goesAt: 3 },
  { title: "OLDEST DUE", text: (node) => shownTime(node.oldestDueAt), goesAt: 2 },
  { title: "MEMORY", text: (node) => `${Math.round(node.memoryBytes / 1_048_576)} MB`, goesAt: 1 },
];

export function registerNodes(program: Command): void {
  withServer(program.command("nodes"))
    .option("--limit <count>", "How many", countParser(1, 10_000), 50)
    .addHelpText("after", "\nNeeds a key with the scope operator.\n\nExample:\n  posthorn nodes\n")
    .action(
      runs(async (io, { limit, ...options }: ServerOptions & { readonly limit: number }) => {
        const nodes = clientOf(options).nodes.list({ limit: Math.min(limit, 200) });
        await printList(io, nodes, limit, COLUMNS, "No nodes.");
      }),
    );
}
