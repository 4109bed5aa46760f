// posthorn organisation: who and where, by which webhooks are restricted; loaded from a file, or listed.
import type { OrganisationEntry, OrganisationKind, OrganisationLoad } from "@posthorn/client";
import { Argument, type Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { readDocument } from "../files/read-document.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime } from "../lib/values.ts";

const KINDS: readonly OrganisationKind[] = ["company", "branch", "location", "employee", "user"];

interface OrganisationOptions extends ServerOptions {
  readonly load?: string;
  readonly limit: number;
}

const COLUMNS: readonly Column<OrganisationEntry>[] = [
  { title: "ID", text: (each) => each.id },
  { title: "NAME", text: (each) => each.name ?? "", shrinksTo: 10 },
  { title: "PART OF", text: (each) => each.parentId ?? "" },
  { title: "DEPARTMENTS", text: (each) => each.departments.join(", "), shrinksTo: 10, goesAt: 2 },
  { title: "TEAMS", text: (each) => each.teams.join(", "), shrinksTo: 10 },
  { title: "AS OF", text: (each) => shownTime(each.asOf), goesAt: 1 },
];

export function registerOrganisation(program: Command): void {
  withServer(program.command("organisation"))
    .addArgument(new Argument("[kind]", "which list").choices(KINDS).default("branch"))
    .option("--load <file>", "Add and replace what a YAML or JSON file says; - reads standard input")
    .option("--limit <count>", "How many", countParser(1, 10_000), 200)
    .addHelpText(
      "after",
      `
The file has lists: companies, branches (with companyId), locations (with
branchId), employees and users (with departments and teams; a user with
employeeId). Whoever is not named stays. The platform's own events keep the
organisation current afterwards.

Examples:
  posthorn organisation --load organisation.yaml
  posthorn organisation user
`,
    )
    .action(runs(organisation));
}

async function organisation(io: Io, options: OrganisationOptions, kind: OrganisationKind): Promise<void> {
  const client = clientOf(options);
  if (options.load === undefined) {
    await printList(io, client.organisation.list({ kind }), options.limit, COLUMNS, `No ${kind} is known.`);
    return;
  }
  const loaded = await client.organisation.load((await readDocument(options.load)) as OrganisationLoad);
  if (io.isJson) io.json(loaded);
  else {
    const older = loaded.older === 0 ? "" : `; ${loaded.older} were known as of later and stay`;
    io.say(`${loaded.changed} changed, ${loaded.unchanged} as before${older}.`);
  }
}
