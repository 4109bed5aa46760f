// posthorn routes: ordered lists of when → webhooks; listed, shown, written from a file.
import type { Route, RouteFields } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { readDocument } from "../files/read-document.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { shownTime } from "../lib/values.ts";

interface RoutesOptions extends ServerOptions {
  readonly put?: string;
  readonly delete?: boolean;
}

const COLUMNS: readonly Column<Route>[] = [
  { title: "NAME", text: (each) => each.name },
  { title: "STEPS", text: (each) => each.steps.map(({ when }) => when).join(", "), shrinksTo: 20 },
  { title: "MATCHES", text: (each) => each.matches, goesAt: 3 },
  { title: "OWNER", text: (each) => each.owner ?? "", goesAt: 1 },
  { title: "CHANGED", text: (each) => shownTime(each.createdAt), goesAt: 2 },
];
/** There are no more of a tenant. */
const ALL = 1_000;

export function registerRoutes(program: Command): void {
  withServer(program.command("routes"))
    .argument("[name]", "show this one")
    .option("--put <file>", "Make it, or replace the whole of it, by a YAML or JSON file; - reads standard input")
    .option("--delete", "Delete it; its webhooks hear by their own filters again")
    .addHelpText(
      "after",
      `
A file:
  steps:
    - { when: order.total > 10000, webhooks: [Large orders] }
  matches: first
  default: [All other orders]

A webhook that stands in a route hears only what one of its routes gives it, and
only what its own event types, scope and filters let pass.

Examples:
  posthorn routes
  posthorn routes orders --put orders.yaml
`,
    )
    .action(runs(routes));
}

async function routes(io: Io, options: RoutesOptions, name?: string): Promise<void> {
  const client = clientOf(options);
  if (name === undefined) {
    if (options.put !== undefined || options.delete === true) throw usageFailure("Say which one: give its name.");
    await printList(io, client.routes.list(), ALL, COLUMNS, "There are no routes.");
    return;
  }
  if (options.delete === true) {
    await client.routes.remove(name);
    io.say(`${name} is deleted; its versions stay.`);
    return;
  }
  if (options.put !== undefined) await client.routes.put(name, (await readDocument(options.put)) as RouteFields);
  show(io, await client.routes.get(name));
}

function show(io: Io, route: Route): void {
  if (io.isJson) return io.json(route);
  const { steps, matches, default: otherwise } = route;
  io.fields([
    ["name", `${route.name}, version ${route.version}`],
    ["description", route.description],
    ["owner", route.owner],
    ["matches", matches],
    ...steps.map(({ when, webhooks }, index): [string, string] => [
      `step ${index + 1}`,
      `${when} → ${webhooks.join(", ")}`,
    ]),
    ["default", otherwise.length === 0 ? "nobody" : otherwise.join(", ")],
    ["changed", `${shownTime(route.createdAt)} by ${route.createdBy}`],
  ]);
}
