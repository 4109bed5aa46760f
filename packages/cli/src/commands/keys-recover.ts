// posthorn keys recover: the way back for an administrator who lost the key, straight on the database. A file of its own
// because it loads the server's code; the key's text is printed once, on standard output only.
import type { Command } from "commander";
import { withJson } from "../client-of.ts";
import { CommandFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { type GivenSettings, settingsOf, withSettings } from "../settings-options.ts";

interface RecoverGiven {
  readonly tenant: string;
  readonly sandbox?: boolean;
  readonly operator?: boolean;
}

/** Completes the command that `registerKeys` has put into the list. */
export function registerRecover(recover: Command): void {
  withSettings(withJson(recover))
    .option("--tenant <name or id>", "Which tenant", "default")
    .option("--sandbox", "A sandbox key")
    .option("--operator", "It may manage the tenants of this installation too")
    .addHelpText(
      "after",
      `
Works beside a running server and without one, straight on the database, and
leaves an entry in the tenant's audit.

Examples:
  posthorn keys recover --data-dir /srv/posthorn
  DATABASE_URL=postgres://db/posthorn posthorn keys recover --tenant acme
`,
    )
    .action(runs(recoverKey));
}

async function recoverKey(io: Io, options: RecoverGiven & GivenSettings): Promise<void> {
  const settings = settingsOf({ ...options, logLevel: options["logLevel"] ?? "warn" });
  const { recoverAdministrator } = await import("@posthorn/server/recover");
  const result = await recoverAdministrator({
    settings,
    tenant: options.tenant,
    sandbox: options.sandbox === true,
    asOperator: options.operator === true,
  });
  if (result.outcome === "refused") throw new CommandFailure(result.code, result.message);
  const { outcome: _outcome, ...recovered } = result;
  if (io.isJson) return io.json(recovered);
  io.say(io.paint("bold", recovered.apiKey));
  io.note(`This is a new administrator's key for the tenant ${recovered.tenantName}, shown only this once.`);
  io.note("If the old one was stolen rather than lost, revoke it: posthorn keys revoke key_…");
}
