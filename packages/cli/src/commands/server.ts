// posthorn serve and posthorn migrate: the commands that are the server. Settings come as flags or from the environment.
import type { Settings } from "@posthorn/server/settings";
import type { Command } from "commander";
import { toldFailure } from "../lib/exit.ts";
import { Io } from "../lib/io.ts";
import { runMigrate } from "../migrate.ts";
import { runServe } from "../serve.ts";
import { type GivenSettings, settingsOf, withSettings } from "../settings-options.ts";

export function registerServe(program: Command): void {
  withSettings(program.command("serve", { isDefault: true }))
    .addHelpText("after", "\nExample:\n  posthorn serve --port 8420 --allow-targets 127.0.0.1:9000\n")
    .action(withGivenSettings(runServe));
}

export function registerMigrate(program: Command): void {
  withSettings(program.command("migrate"))
    .addHelpText("after", "\nExample:\n  DATABASE_URL=postgres://posthorn@db/posthorn posthorn migrate\n")
    .action(withGivenSettings(runMigrate));
}

/** The result of the work is the exit code. Not `runs`: a server goes on when nobody reads its output any more. */
function withGivenSettings(work: (settings: Settings) => Promise<number>) {
  return async (options: GivenSettings): Promise<void> => {
    try {
      process.exitCode = await work(settingsOf(options));
    } catch (error) {
      const told = toldFailure(error);
      if (told === null) throw error;
      new Io(process, { isJson: false }).fail(told);
      process.exitCode = told.exitCode;
    }
  };
}
