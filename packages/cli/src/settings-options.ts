// The settings of the server as options of the commands that open its database, read as `serve` reads them.
import { readSettings, SETTINGS, type Settings } from "@posthorn/server/settings";
import { type Command, Option } from "commander";
import { CommandFailure, EXIT } from "./lib/exit.ts";

/** Options as commander gives them, those of the settings among them. */
export type GivenSettings = Readonly<Record<string, unknown>>;

/**
 * Every setting is also a flag of the commands that open the database.
 * @param flags those that mean something to the command; all of them otherwise
 */
export function withSettings(command: Command, flags?: readonly string[]): Command {
  for (const setting of Object.values(SETTINGS)) {
    if (flags !== undefined && !flags.includes(setting.flag)) continue;
    const shown = setting.default === undefined || setting.default === "" ? "" : ` (default: ${setting.default})`;
    command.addOption(
      new Option(`--${setting.flag} <value>`, `${setting.description} [${setting.env}]${shown}`).helpGroup("Settings:"),
    );
  }
  return command;
}

/** The flags that were given, back under the names of the table: commander turns `--data-dir` into `dataDir`. */
export function flagsOf(options: GivenSettings): Record<string, string> {
  const flags: Record<string, string> = {};
  for (const setting of Object.values(SETTINGS)) {
    const value = options[setting.flag.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof value === "string") flags[setting.flag] = value;
  }
  return flags;
}

/**
 * The settings in force.
 * @throws CommandFailure that names every setting that cannot be used
 */
export function settingsOf(options: GivenSettings): Settings {
  const result = readSettings(process.env, flagsOf(options));
  if (result.ok) return result.settings;
  const codes = new Set(result.errors.map((error) => error.code));
  const code = codes.size === 1 ? (result.errors[0]?.code ?? "INVALID_SETTING") : "INVALID_SETTING";
  throw new CommandFailure(code, result.errors.map((error) => error.message).join("\n"), { exitCode: EXIT.usage });
}
