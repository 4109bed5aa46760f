// posthorn apply: its arguments, and where its files come from. What it does is in apply-run.ts.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { runs } from "../lib/run.ts";
import { type ApplyOptions, runApply } from "./apply-run.ts";

export function registerApply(program: Command): void {
  withServer(program.command("apply"))
    .argument("<file...>", "YAML with webhooks, in the own form or the printed one; - reads the standard input")
    .option("--dry-run", "Only show what would change")
    .option("--set <NAME=value>", "Fill the placeholder [NAME]; may be repeated", repeated)
    .option("--map-url <FROM=TO>", "Send URLs that begin with FROM to TO, in development; may be repeated", repeated)
    .option("--keep-secrets", "Leave secrets as they are on the server where their placeholder is not filled")
    .option("--prune", "Delete the webhooks that the files do not name")
    .option("--detailed-exitcode", "With --dry-run: end with 4 when something would change")
    .addHelpText(
      "after",
      `
A webhook is found by its name. What a file leaves out gets its default; two
things stay as they are when they are left out: the signing secret, and whether
the webhook is active. All files are checked before anything changes, and all of
it changes at once or nothing does.

Placeholders are filled by --set or from the environment; where a list is
wanted, give its values with commas. Values of --set can be seen in the list of
processes: secrets are better off in the environment.

Exit codes: 0 done, or nothing to do; 1 the server failed; 2 the files or
options are not valid; 3 no server answered.

Examples:
  posthorn apply webhooks.yaml --dry-run
  ENCRYPTED_API_KEY=… posthorn apply webhooks.yaml
  posthorn apply crm.yaml --set CRM_SERVER_IPS=203.0.113.7,203.0.113.8 \\
    --map-url https://api.crm.com=http://127.0.0.1:9000
  posthorn export --url https://old.example.com | \\
    posthorn apply - --url https://new.example.com --dry-run
`,
    )
    .action(
      runs((io, options: ApplyOptions & ServerOptions, files: readonly string[]) =>
        runApply(files, options, {
          io,
          webhooks: { apply: (...given) => clientOf(options).webhooks.apply(...given) },
          environment: process.env,
          readText: (file) => (file === "-" ? text(process.stdin) : readFile(file, "utf8")),
        }),
      ),
    );
}

/** A value may hold commas, so each one comes with its own flag. */
function repeated(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}
