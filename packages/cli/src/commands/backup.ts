// posthorn backup: the whole installation as of one moment, in one file, beside a running server or without one.
// Must never write over a file unasked, and never leave half a file under the name that was asked for.
import { createWriteStream } from "node:fs";
import { open, rename, rm, stat } from "node:fs/promises";
import type { Writable } from "node:stream";
import type { BackupProgress, BackupResult } from "@posthorn/server/backup";
import type { Command } from "commander";
import { withJson } from "../client-of.ts";
import { byteText, countText, openFailure } from "../lib/amounts.ts";
import { CommandFailure, EXIT, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { type GivenSettings, settingsOf, withSettings } from "../settings-options.ts";

interface BackupGiven extends GivenSettings {
  readonly output: string;
  readonly force?: boolean;
}

export function registerBackup(program: Command): void {
  withSettings(withJson(program.command("backup")), ["data-dir", "database-url", "log-level"])
    .requiredOption("-o, --output <file>", "The file to write; - for the standard output")
    .option("--force", "Write over a file that exists")
    .addHelpText(
      "after",
      `
Shows one moment, while the server goes on. The file holds everything but the
master key: keep that apart (master.key in the data directory, or your
POSTHORN_MASTER_KEY), because nothing opens the stored secrets without it. To
move to another database stop the server first, or what is delivered after the
backup is delivered once more.

Examples:
  posthorn backup --output posthorn.backup
  DATABASE_URL=postgres://posthorn@db/posthorn posthorn backup -o posthorn.backup
  posthorn backup -o - | ssh vault 'cat > posthorn.backup'
`,
    )
    .action(runs(backUpCommand));
}

async function backUpCommand(io: Io, options: BackupGiven): Promise<void> {
  const settings = settingsOf({ ...options, logLevel: options["logLevel"] ?? "warn" });
  if (options.output === "-" && io.isJson) throw usageFailure("--json and --output - both want the standard output.");
  const target = options.output === "-" ? toStandardOutput() : await toFile(options.output, options.force === true);
  const written = await write(io, settings, target);
  if (io.isJson) return io.json({ output: options.output, ...written });
  const { rowCounts } = written;
  const { event = 0, delivery = 0 } = rowCounts;
  io.note(
    `${options.output === "-" ? "Written" : `${options.output} written`}: ${countText(event, "event")}, ${countText(delivery, "pending delivery", "pending deliveries")}, as of ${written.createdAt}.`,
  );
  io.note("The master key is not in it: keep a copy of it elsewhere.");
}

interface Target {
  readonly stream: Writable;
  /** Puts the finished file in its place. */
  readonly finish: () => Promise<void>;
  /** Leaves nothing behind. */
  readonly discard: () => Promise<void>;
}

/** Some ten lines a second. */
const PROGRESS_STEP_BYTES = 4_000_000;

/** Tells of the first piece, and then each time that a step more has been written. */
function sparsely(stepBytes: number, tell: (progress: BackupProgress) => void): (progress: BackupProgress) => void {
  let toldBytes = Number.NEGATIVE_INFINITY;
  return (progress) => {
    if (progress.byteCount - toldBytes < stepBytes) return;
    toldBytes = progress.byteCount;
    tell(progress);
  };
}

async function write(
  io: Io,
  settings: ReturnType<typeof settingsOf>,
  target: Target,
): Promise<Omit<Extract<BackupResult, { outcome: "backed_up" }>, "outcome">> {
  try {
    const { backUpDatabase } = await import("@posthorn/server/backup");
    const result = await backUpDatabase({
      settings,
      output: target.stream,
      onProgress: sparsely(PROGRESS_STEP_BYTES, ({ table, rowCount, byteCount }) =>
        io.progress(`${table}: ${countText(rowCount, "row")}, ${byteText(byteCount)}`),
      ),
    });
    if (result.outcome === "refused") throw new CommandFailure(result.code, result.message);
    await target.finish();
    const { outcome: _outcome, ...written } = result;
    return written;
  } catch (error) {
    await target.discard();
    throw openFailure(error) ?? error;
  }
}

function toStandardOutput(): Target {
  if (process.stdout.isTTY) throw usageFailure("A backup is no text for a terminal.", "Give --output FILE, or a pipe.");
  // A reader that goes away ends the command at once (`runs`): this must then count as a failure.
  process.exitCode = EXIT.failed;
  return { stream: process.stdout, finish: async () => {}, discard: async () => {} };
}

/** Under another name until it is whole; for its owner only, because payloads and hashes are in it. */
async function toFile(path: string, mayReplace: boolean): Promise<Target> {
  await refuseExisting(path, mayReplace);
  const draft = `${path}.part`;
  // One that an interrupted backup left behind may be readable by others.
  await rm(draft, { force: true });
  const file = await open(draft, "wx", 0o600).catch((error: unknown) => {
    throw openFailure(error) ?? error;
  });
  const stream = createWriteStream(draft, { fd: file, flush: true });
  return {
    stream,
    finish: () => rename(draft, path),
    async discard() {
      stream.destroy();
      await rm(draft, { force: true });
    },
  };
}

async function refuseExisting(path: string, mayReplace: boolean): Promise<void> {
  const present = await stat(path).catch(() => null);
  if (present === null) return;
  if (!present.isFile()) {
    // The finished file takes the place of what is there, which must not happen to a folder or a device.
    throw usageFailure(`${path} is no ordinary file.`, "Give another name, or --output - and a pipe.");
  }
  if (mayReplace) return;
  throw new CommandFailure("FILE_EXISTS", `${path} exists.`, {
    hint: "Choose another name, or give --force to write over it.",
  });
}
