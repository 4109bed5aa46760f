// posthorn rules and posthorn code-tables: what is named once and used by many webhooks; who uses it, and what it was.
import type { CodeTable, CodeTableVersion, CodeValue, DefinitionUser, Rule, RuleVersion } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { parseJsonText, readInput } from "../lib/json-input.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { clean } from "../lib/text.ts";
import { shownTime } from "../lib/values.ts";

interface RuleOptions extends ServerOptions {
  readonly owner?: string;
  readonly description?: string;
  readonly validFrom?: string;
  readonly validUntil?: string;
}
type TableOptions = Pick<RuleOptions, "owner" | "description"> & ServerOptions;

const RULE_COLUMNS: readonly Column<Rule>[] = [
  { title: "NAME", text: (each) => each.name, shrinksTo: 12 },
  { title: "EXPRESSION", text: (each) => each.expression, shrinksTo: 16 },
  { title: "OWNER", text: (each) => each.owner ?? "-", shrinksTo: 8, goesAt: 2 },
  { title: "VALID", text: (each) => validity(each), goesAt: 1 },
  { title: "VERSION", text: (each) => String(each.version) },
  { title: "USED BY", text: (each) => String(each.usedByCount) },
];
const TABLE_COLUMNS: readonly Column<CodeTable>[] = [
  { title: "NAME", text: (each) => each.name, shrinksTo: 12 },
  { title: "ENTRIES", text: (each) => String(Object.keys(each.entries).length) },
  { title: "OWNER", text: (each) => each.owner ?? "-", shrinksTo: 8, goesAt: 1 },
  { title: "VERSION", text: (each) => String(each.version) },
  { title: "USED BY", text: (each) => String(each.usedByCount) },
];
const RULE_VERSION_COLUMNS: readonly Column<RuleVersion>[] = [
  { title: "VERSION", text: (each) => String(each.version) },
  { title: "SINCE", text: (each) => shownTime(each.createdAt) },
  { title: "EXPRESSION", text: (each) => each.expression, shrinksTo: 16 },
  { title: "VALID", text: (each) => validity(each), goesAt: 1 },
  { title: "BY", text: (each) => each.createdBy, goesAt: 2 },
];
const TABLE_VERSION_COLUMNS: readonly Column<CodeTableVersion>[] = [
  { title: "VERSION", text: (each) => String(each.version) },
  { title: "SINCE", text: (each) => shownTime(each.createdAt) },
  { title: "ENTRIES", text: (each) => String(Object.keys(each.entries).length) },
  { title: "BY", text: (each) => each.createdBy, goesAt: 1 },
];
/** There are no more of a tenant, or nobody reads more. */
const ALL = 1_000;

export function registerRules(program: Command): void {
  const rules = program
    .command("rules")
    .addHelpText(
      "after",
      '\nExample:\n  posthorn rules set large_order "order.total > 10000" --owner "Sales Operations"\n',
    );

  withServer(rules.command("list", { isDefault: true }))
    .description("List the business rules.")
    .action(
      runs(async (io, options: ServerOptions) => {
        await printList(io, clientOf(options).rules.list(), ALL, RULE_COLUMNS, "There are no rules yet.");
      }),
    );

  withServer(rules.command("show <name>"))
    .description("Show a rule, and who uses it.")
    .action(
      runs(async (io, options: ServerOptions, name: string) => showRule(io, await clientOf(options).rules.get(name))),
    );

  aboutOptions(withServer(rules.command("set <name> [expression]")))
    .description("Make a rule, or change it for everything that uses it; what is not given stays.")
    .option("--valid-from <time>", "From then on; before it the rule is false ('' for no date)")
    .option("--valid-until <time>", "Until then, and not then ('' for no date)")
    .addHelpText(
      "after",
      `
Examples:
  posthorn rules set large_order "order.total > 10000" --owner "Sales Operations"
  posthorn rules set year_end "order.total > 500" --valid-from 2026-12-01T00:00:00+08:00
`,
    )
    .action(
      runs(async (io, options: RuleOptions, name: string, expression?: string) => {
        const fields = {
          ...aboutOf(options),
          ...datesOf(options),
          ...(expression === undefined ? {} : { expression }),
        };
        if (Object.keys(fields).length === 0) throw usageFailure("What shall be set? Give an expression or an option.");
        const { rules: all } = clientOf(options);
        const isThere = (await all.list().take(ALL)).some((rule) => rule.name === name);
        if (!isThere && expression === undefined) throw usageFailure("A new rule needs an expression.");
        showRule(
          io,
          isThere
            ? await all.update(name, fields)
            : await all.create({ ...fields, name, expression: expression ?? "" }),
        );
      }),
    );

  withServer(rules.command("delete <name>"))
    .description("Delete a rule that nothing uses. Its versions stay.")
    .action(
      runs(async (io, options: ServerOptions, name: string) => {
        await clientOf(options).rules.remove(name);
        sayDeleted(io, name);
      }),
    );

  withServer(rules.command("versions <name>"))
    .description("List what a rule said and when, newest first; of a deleted one too.")
    .action(
      runs(async (io, options: ServerOptions, name: string) => {
        const versions = clientOf(options).rules.versions(name);
        await printList(io, versions, ALL, RULE_VERSION_COLUMNS, "There are no versions.");
      }),
    );
}

export function registerCodeTables(program: Command): void {
  const tables = program
    .command("code-tables")
    .addHelpText("after", "\nExample:\n  posthorn code-tables set tax tax.json --owner Finance\n");

  withServer(tables.command("list", { isDefault: true }))
    .description("List the code tables.")
    .action(
      runs(async (io, options: ServerOptions) => {
        await printList(io, clientOf(options).codeTables.list(), ALL, TABLE_COLUMNS, "There are no code tables yet.");
      }),
    );

  withServer(tables.command("show <name>"))
    .description("Show a code table, and who uses it.")
    .action(
      runs(async (io, options: ServerOptions, name: string) =>
        showTable(io, await clientOf(options).codeTables.get(name)),
      ),
    );

  aboutOptions(withServer(tables.command("set <name> [file]")))
    .description("Make a code table of a JSON object of codes, or change it for everything that reads it.")
    .addHelpText(
      "after",
      `
The file replaces all entries; - reads it from standard input.

Examples:
  posthorn code-tables set tax tax.json --owner Finance
  echo '{"SST-6": "GST06"}' | posthorn code-tables set tax -
`,
    )
    .action(
      runs(async (io, options: TableOptions, name: string, file?: string) => {
        const entries = file === undefined ? undefined : await entriesOf(file);
        const fields = { ...aboutOf(options), ...(entries === undefined ? {} : { entries }) };
        if (Object.keys(fields).length === 0) throw usageFailure("What shall be set? Give a file or an option.");
        const { codeTables: all } = clientOf(options);
        const isThere = (await all.list().take(ALL)).some((table) => table.name === name);
        if (!isThere && entries === undefined) throw usageFailure("A new code table needs a file of entries.");
        showTable(
          io,
          isThere ? await all.update(name, fields) : await all.create({ ...fields, name, entries: entries ?? {} }),
        );
      }),
    );

  withServer(tables.command("delete <name>"))
    .description("Delete a code table that nothing reads. Its versions stay.")
    .action(
      runs(async (io, options: ServerOptions, name: string) => {
        await clientOf(options).codeTables.remove(name);
        sayDeleted(io, name);
      }),
    );

  withServer(tables.command("versions <name>"))
    .description("List what a code table held and when, newest first; of a deleted one too.")
    .action(
      runs(async (io, options: ServerOptions, name: string) => {
        const versions = clientOf(options).codeTables.versions(name);
        await printList(io, versions, ALL, TABLE_VERSION_COLUMNS, "There are no versions.");
      }),
    );
}

function aboutOptions(command: Command): Command {
  return command
    .option("--owner <text>", "Who decides what it says ('' for nobody)")
    .option("--description <text>", "What it is for ('' for nothing)");
}

function aboutOf({ owner, description }: TableOptions): { owner?: string | null; description?: string | null } {
  return {
    ...(owner === undefined ? {} : { owner: owner || null }),
    ...(description === undefined ? {} : { description: description || null }),
  };
}

function datesOf({ validFrom, validUntil }: RuleOptions): { validFrom?: string | null; validUntil?: string | null } {
  return {
    ...(validFrom === undefined ? {} : { validFrom: validFrom || null }),
    ...(validUntil === undefined ? {} : { validUntil: validUntil || null }),
  };
}

async function entriesOf(file: string): Promise<Record<string, CodeValue>> {
  const value = parseJsonText((await readInput(file)).toString("utf8"), file === "-" ? "Standard input" : file);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw usageFailure('Expected a JSON object of codes, such as {"SST-6": "GST06"}.');
  }
  return value as Record<string, CodeValue>;
}

function validity({ validFrom, validUntil }: Pick<Rule, "validFrom" | "validUntil">): string {
  if (validFrom === null && validUntil === null) return "always";
  const from = validFrom === null ? "" : `from ${validFrom}`;
  return `${from}${validUntil === null ? "" : `${from === "" ? "" : " "}until ${validUntil}`}`;
}

function showRule(io: Io, rule: Rule): void {
  if (io.isJson) return io.json(rule);
  io.say(`Rule:       rule.${clean(rule.name)}, version ${rule.version} since ${shownTime(rule.updatedAt)}`);
  io.say(`Expression: ${clean(rule.expression)}`);
  io.say(`Valid:      ${clean(validity(rule))}`);
  sayAbout(io, rule);
}

function showTable(io: Io, table: CodeTable): void {
  if (io.isJson) return io.json(table);
  io.say(`Code table: ${clean(table.name)}, version ${table.version} since ${shownTime(table.updatedAt)}`);
  sayAbout(io, table);
  for (const [code, value] of Object.entries(table.entries))
    io.say(`  ${clean(code)} = ${clean(JSON.stringify(value))}`);
}

function sayAbout(io: Io, { owner, description, usedBy, usedByCount }: Rule | CodeTable): void {
  if (owner !== null) io.say(`Owner:      ${clean(owner)}`);
  if (description !== null) io.say(`About:      ${clean(description)}`);
  io.say(`Used by:    ${usedByCount === 0 ? "nothing" : usedByCount}`);
  for (const user of usedBy) io.say(`  ${userText(user)}`);
}

function userText(user: DefinitionUser): string {
  if (user.type === "webhook") return `${user.id} in ${clean(user.fields.join(", "))}`;
  return user.type === "rule" ? `rule.${clean(user.name)}` : `the route ${clean(user.name)}`;
}

function sayDeleted(io: Io, name: string): void {
  if (io.isJson) io.json({ name, deleted: true });
  else io.say(`${clean(name)} is deleted.`);
}
