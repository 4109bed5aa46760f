// posthorn config: the settings that `serve` would run with, and where each comes from. Secrets are masked.
import { printableSettings } from "@posthorn/server/settings";
import type { Command } from "commander";
import { withJson } from "../client-of.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { flagsOf, type GivenSettings, settingsOf, withSettings } from "../settings-options.ts";

interface ShownSetting {
  readonly env: string;
  readonly value: string;
  readonly from: "flag" | "environment" | "default";
}

const COLUMNS: readonly Column<ShownSetting>[] = [
  { title: "SETTING", text: (setting) => setting.env },
  { title: "VALUE", text: (setting) => setting.value, shrinksTo: 12 },
  { title: "FROM", text: (setting) => setting.from, goesAt: 1 },
];

export function registerConfig(program: Command): void {
  withSettings(withJson(program.command("config")))
    .addHelpText(
      "after",
      "\nExamples:\n  posthorn config\n  POSTHORN_PORT=9000 posthorn config --json\n\nEnds with 2 when a setting cannot be used.\n",
    )
    .action(
      runs(async (io, options: GivenSettings) => {
        const shown = shownSettings(options);
        if (io.isJson) return io.json(shown);
        io.table(shown, COLUMNS, "");
      }),
    );
}

function shownSettings(options: GivenSettings): ShownSetting[] {
  const shown = printableSettings(settingsOf(options), process.env, flagsOf(options));
  return shown.map(({ env, value, from }) => ({ env, value, from }));
}
