#!/usr/bin/env node
// The posthorn command: serve and migrate. Reads arguments, calls the server package, prints for people.
import { readSettings, SETTINGS, VERSION } from "@posthorn/server";
import { Command, Option } from "commander";
import { runMigrate } from "./migrate.ts";
import { fail } from "./print.ts";
import { runServe } from "./serve.ts";

const program = new Command("posthorn")
  .description("Posthorn, the Webhook Applet of BigLedger: events in, signed deliveries out.")
  .version(VERSION)
  .showHelpAfterError()
  .configureHelp({ showGlobalOptions: true });

/** Every setting is also a flag of the commands that open the database. */
function withSettings(command: Command): Command {
  for (const setting of Object.values(SETTINGS)) {
    const shown = setting.default === undefined || setting.default === "" ? "" : ` (default: ${setting.default})`;
    command.addOption(new Option(`--${setting.flag} <value>`, `${setting.description} [${setting.env}]${shown}`));
  }
  return command;
}

/** Flags back under the names of the table: commander turns `--data-dir` into `dataDir`. */
function settingsOf(options: Readonly<Record<string, string | undefined>>) {
  const flags: Record<string, string> = {};
  for (const setting of Object.values(SETTINGS)) {
    const value = options[setting.flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (value !== undefined) flags[setting.flag] = value;
  }
  const result = readSettings(process.env, flags);
  if (result.ok) return result.settings;
  for (const error of result.errors) fail(error.code, error.message);
  return null;
}

withSettings(program.command("serve", { isDefault: true }))
  .description("Start a node: API, capture and delivery. Without DATABASE_URL it brings its own PostgreSQL.")
  .addHelpText("after", "\nExample:\n  posthorn serve --port 8420 --allow-targets 127.0.0.1:9000\n")
  .action(async (options: Record<string, string | undefined>) => {
    const settings = settingsOf(options);
    process.exitCode = settings === null ? 2 : await runServe(settings);
  });

withSettings(program.command("migrate"))
  .description("Bring the database's schema up to date, then end.")
  .addHelpText("after", "\nExample:\n  DATABASE_URL=postgres://posthorn@db/posthorn posthorn migrate\n")
  .action(async (options: Record<string, string | undefined>) => {
    const settings = settingsOf(options);
    process.exitCode = settings === null ? 2 : await runMigrate(settings);
  });

await program.parseAsync();
