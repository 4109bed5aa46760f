#!/usr/bin/env node
// The posthorn command: finds out which command is meant, loads that one, and hands over. The table of commands is
// command-table.ts.
import { VERSION } from "@posthorn/client";
import { nearestNames } from "@posthorn/contract";
import { Command } from "commander";
import { COMMAND_GROUPS, DEFAULT_COMMAND } from "./command-table.ts";
import { EXIT } from "./lib/exit.ts";

const AFTER_HELP = `
Commands that talk to a server take --url and --api-key, or POSTHORN_URL and
POSTHORN_API_KEY; beside a running embedded server they need neither.

Every command ends with 0 when all is well, 1 when the server refused or
something did not succeed, 2 when it was called wrongly, 3 when no server
answered, 4 when apply --dry-run --detailed-exitcode found changes. What runs
until Ctrl-C ends with 0 then.

--json prints JSON; tail, listen and receive one object on each line. Results go
to standard output, all else to standard error. Colours are for terminals;
NO_COLOR takes them away, FORCE_COLOR brings them into a pipe.

Examples:
  posthorn serve
  posthorn receive --subscribe 'invoice.*'
  posthorn trigger invoice.paid --wait
  posthorn dead-letters
`;

/** The name of the command that the arguments ask for; null for the program's own help and version. */
function commandNameIn(args: readonly string[]): string | null {
  const [first] = args;
  if (first === "help") return args[1] ?? null;
  if (first === undefined || (first.startsWith("-") && !["-h", "--help", "-V", "--version"].includes(first))) {
    return DEFAULT_COMMAND;
  }
  return first.startsWith("-") ? null : first;
}

async function makeProgram(args: readonly string[], wanted: string | null): Promise<Command> {
  const program = new Command("posthorn")
    .description("Posthorn, the Webhook Applet of BigLedger: events in, signed deliveries out.")
    .version(VERSION)
    .showHelpAfterError("(--help shows how)")
    .addHelpText("after", AFTER_HELP)
    // Inherited by every command below: what commander refuses is a mistake of usage.
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? EXIT.ok : EXIT.usage));
  for (const { title, commands } of COMMAND_GROUPS) {
    program.commandsGroup(title);
    for (const entry of commands) {
      // Of the others only the line in the list.
      if (entry.name === wanted) (await entry.load(args))(program);
      else program.command(entry.name);
      program.commands.at(-1)?.description(entry.summary);
    }
  }
  return program;
}

const args = process.argv.slice(2);
const wanted = commandNameIn(args);
const program = await makeProgram(args, wanted);
const names = program.commands.map((command) => command.name());
if (wanted !== null && !names.includes(wanted)) {
  // Because serve is the default, commander would take an unknown command for an argument of serve.
  const nearest = nearestNames(wanted, names, 1)[0];
  const hint = nearest === undefined ? "posthorn --help lists them." : `Did you mean ${nearest}?`;
  program.error(`error: there is no command '${wanted}'. ${hint}`);
}
refuseUnknownPart(program.commands.find((command) => command.name() === wanted));
await program.parseAsync();

/** Of a group with a default, commander would take a mistyped command for an argument of that one. */
function refuseUnknownPart(group: Command | undefined): void {
  const word = args[0] === "help" ? undefined : args[1];
  if (group === undefined || group.commands.length === 0 || word === undefined || word.startsWith("-")) return;
  const parts = ["help", ...group.commands.map((command) => command.name())];
  if (parts.includes(word)) return;
  const nearest = nearestNames(word, parts, 1)[0];
  const hint = nearest === undefined ? `posthorn ${group.name()} --help lists them.` : `Did you mean ${nearest}?`;
  program.error(`error: there is no command '${group.name()} ${word}'. ${hint}`);
}
