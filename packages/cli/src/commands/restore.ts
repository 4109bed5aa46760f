// posthorn restore: makes an empty database into what a backup shows. The server starts on it afterwards.
// Must change nothing in a database that is not empty, and load all of a file or nothing.
import { stat } from "node:fs/promises";
import type { Command } from "commander";
import { withJson } from "../client-of.ts";
import { byteText, countText, openFailure } from "../lib/amounts.ts";
import { CommandFailure, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { type GivenSettings, settingsOf, withSettings } from "../settings-options.ts";

export function registerRestore(program: Command): void {
  withSettings(withJson(program.command("restore")), ["data-dir", "database-url", "master-key", "log-level"])
    .argument("<file>", "What posthorn backup has written; - for the standard input")
    .addHelpText(
      "after",
      `
Into an empty database only: one of your own, or a new data directory. It needs
the master key of the installation that the backup shows, as
POSTHORN_MASTER_KEY or as master.key in the data directory. A file is checked to
its end before anything changes. After that start the server: deliveries that
were pending go on. Do not let the old installation deliver at the same time.

Examples:
  mkdir -m 700 restored && cp keys/master.key restored/
  posthorn restore posthorn.backup --data-dir restored
  DATABASE_URL=postgres://posthorn@db/posthorn posthorn restore posthorn.backup
`,
    )
    .action(runs(restoreCommand));
}

async function restoreCommand(io: Io, options: GivenSettings, file: string): Promise<void> {
  const settings = settingsOf({ ...options, logLevel: options["logLevel"] ?? "warn" });
  if (file === "-" && process.stdin.isTTY)
    throw usageFailure("There is no backup on the standard input.", "Give a file.");
  const sizeBytes = file === "-" ? null : await sizeOf(file);
  const { restoreDatabase } = await import("@posthorn/server/backup");
  const result = await restoreDatabase({
    settings,
    input: file === "-" ? { stream: process.stdin } : { path: file },
    onProgress: ({ phase, readBytes, rowCount }) => {
      const of = sizeBytes === null || readBytes === null ? "" : `, ${byteText(readBytes)} of ${byteText(sizeBytes)}`;
      io.progress(phase === "checking" ? `Checking the file${of}` : `Loading: ${countText(rowCount, "row")}${of}`);
    },
  }).catch((error: unknown) => {
    throw openFailure(error) ?? error;
  });
  if (result.outcome === "refused") throw new CommandFailure(result.code, result.message);
  const { outcome: _outcome, ...restored } = result;
  if (io.isJson) return io.json(restored);
  const { event = 0, delivery = 0 } = restored.rowCounts;
  io.note(
    `Restored as of ${restored.createdAt}: ${countText(event, "event")}, ${countText(delivery, "pending delivery", "pending deliveries")}.`,
  );
  if (restored.migratedForward.length > 0) io.note(`Brought up to date with ${restored.migratedForward.join(", ")}.`);
  io.note("Start the server on it: posthorn serve, with the same settings and master key.");
}

async function sizeOf(file: string): Promise<number> {
  try {
    const about = await stat(file);
    if (about.isDirectory())
      throw usageFailure(`${file} is a folder.`, "Give the file that posthorn backup has written.");
    return about.size;
  } catch (error) {
    throw openFailure(error) ?? error;
  }
}
