// posthorn export: its arguments, and where the file goes. What it does is in export-run.ts.
import { writeFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { type Exported, type ExportOptions, runExport } from "./export-run.ts";

export function registerExport(program: Command): void {
  withServer(program.command("export"))
    .argument("[name...]", "names of webhooks; all of them when left out")
    .addOption(
      new Option("--form <form>", "The field names of the API, or those of the printed documentation")
        .choices(["own", "printed"])
        .default("own"),
    )
    .option("--output <file>", "Write this file instead of the standard output")
    .addHelpText(
      "after",
      `
Secrets never leave a server: where one is stored the file has a placeholder,
and all of them are listed at its top.

Examples:
  posthorn export --output webhooks.yaml
  posthorn export "CRM Customer Synchronization" --form printed
`,
    )
    .action(
      runs((io, options: ExportOptions & ServerOptions & { output?: string }, names: readonly string[]) => {
        const client = clientOf(options);
        const write = (exported: Exported) => deliver(io, exported, options.output ?? null);
        return runExport(names, options, { io, url: client.url, webhooks: client.webhooks, write });
      }),
    );
}

async function deliver(io: Io, { text, ...about }: Exported, output: string | null): Promise<void> {
  if (output === null) {
    // The text ends its last line itself.
    return io.isJson ? io.json({ ...about, text }) : io.say(text.trimEnd());
  }
  try {
    await writeFile(output, text);
  } catch (error) {
    throw usageFailure(`${output} cannot be written: ${(error as Error).message}.`);
  }
  if (io.isJson) return io.json({ ...about, output });
  io.note(`${about.webhookCount} ${about.webhookCount === 1 ? "webhook" : "webhooks"} written to ${output}.`);
}
