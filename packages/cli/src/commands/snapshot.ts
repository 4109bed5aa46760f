// posthorn snapshot: the first load of a new system, from a file of JSON lines to one webhook. Broken off, the same command
// goes on where it stood: the token is made of the file's content.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import type { Posthorn, Snapshot } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { EXIT, type ExitCode, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { parseJsonText } from "../lib/json-input.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface SnapshotOptions extends ServerOptions {
  readonly event: string;
  readonly rate?: number;
  readonly token?: string;
  readonly detach?: boolean;
}

interface SnapshotsOptions extends ServerOptions {
  readonly webhook?: string;
  readonly cancel?: boolean;
  readonly limit: number;
}

const LOOK_MS = 300;
/** Of one call: the API takes 1,000 and 1 MiB. */
const PART_RECORDS = 500;
const PART_BYTES = 512 * 1024;

export function registerSnapshot(program: Command): void {
  withServer(program.command("snapshot"))
    .argument("<webhook>", "its id or name")
    .argument("<file>", "JSON objects, one in a line")
    .requiredOption("--event <type>", "The event type under which each is delivered: customer.created")
    .option("--rate <count>", "At most so many in a second; 50 unless given", countParser(1, 1_000))
    .option("--token <token>", "Its name, instead of one made of the file's content")
    .option("--detach", "Do not wait until all of it is on its way")
    .addHelpText(
      "after",
      `
Each record becomes an event of its own for this webhook only, marked with
context.source = "snapshot". Live events go first. Broken off, the same command
goes on where it stood.

Example:
  posthorn snapshot "CRM Sync" customers.ndjson --event customer.created
`,
    )
    .action(runs(snapshot));
}

export function registerSnapshots(program: Command): void {
  withServer(program.command("snapshots"))
    .argument("[id]", "snapshot_…")
    .option("--webhook <id or name>", "Of this webhook")
    .option("--cancel", "End the one named; deliveries that were made stay")
    .option("--limit <count>", "How many", countParser(1, 1_000), 20)
    .addHelpText(
      "after",
      `
Examples:
  posthorn snapshots --webhook "CRM Sync"
  posthorn snapshots snapshot_01KATEK0G3F3Q8T9W7M1N5V2XB --cancel
`,
    )
    .action(
      runs(async (io, options: SnapshotsOptions, id: string | undefined) => {
        const posthorn = clientOf(options);
        if (options.cancel === true && id === undefined) throw usageFailure("--cancel needs the id of a snapshot.");
        if (id !== undefined) {
          return show(io, await (options.cancel === true ? posthorn.snapshots.cancel(id) : posthorn.snapshots.get(id)));
        }
        const webhookId = options.webhook === undefined ? undefined : await webhookIdOf(posthorn, options.webhook);
        const query = { ...(webhookId === undefined ? {} : { webhookId }), limit: Math.min(options.limit, 200) };
        return printList(io, posthorn.snapshots.list(query), options.limit, COLUMNS, "No snapshots.");
      }),
    );
}

const COLUMNS: readonly Column<Snapshot>[] = [
  { title: "STATE", text: (each) => each.state },
  { title: "SNAPSHOT", text: (each) => each.id },
  { title: "EVENT", text: (each) => each.event, shrinksTo: 12, goesAt: 2 },
  { title: "RECORDS", text: (each) => String(each.received), align: "right" },
  { title: "ON THEIR WAY", text: (each) => String(each.delivering), align: "right" },
  { title: "STARTED", text: (each) => shownTime(each.createdAt), goesAt: 1 },
];

function show(io: Io, each: Snapshot): void {
  if (io.isJson) return io.json(each);
  io.fields([
    ["Snapshot", each.id],
    ["State", each.state === "running" && !each.isComplete ? "running, more records may come" : each.state],
    ["Webhook", each.webhookId],
    ["Event", each.event],
    ["Records", `${each.received}, of these ${each.delivering} on their way or delivered`],
    ["Pace", `${each.recordsPerSecond} a second`],
    ["Token", each.token],
    ["Problem", each.problem],
  ]);
}

async function snapshot(io: Io, options: SnapshotOptions, webhook: string, file: string): Promise<ExitCode> {
  const posthorn = clientOf(options);
  const token = options.token ?? (await tokenOf(file));
  const pace = options.rate === undefined ? {} : { recordsPerSecond: options.rate };
  const webhookId = await webhookIdOf(posthorn, webhook);
  let state = await posthorn.snapshots.start(webhookId, { token, event: options.event, ...pace });
  if (state.received > 0 && !state.isComplete) io.note(`It goes on at record ${state.received + 1}.`);
  if (!state.isComplete && state.state === "running") state = await upload(io, posthorn, state, file);
  while (options.detach !== true && state.state === "running") {
    io.progress(`${state.delivering} of ${state.received} on their way…`);
    await delay(LOOK_MS);
    state = await posthorn.snapshots.get(state.id);
  }
  if (io.isJson) io.json(state);
  else sayEnd(io, state, webhook);
  return state.state === "done" || state.state === "running" ? EXIT.ok : EXIT.failed;
}

function sayEnd(io: Io, state: Snapshot, webhook: string): void {
  const records = `${state.received} ${state.received === 1 ? "record" : "records"}`;
  switch (state.state) {
    case "running":
      return io.say(`${records} are stored. How they get on: posthorn snapshots ${state.id}`);
    case "done":
      io.say(`${records} ${state.received === 1 ? "is" : "are"} on the way or delivered.`);
      return io.note(`How they get on: posthorn deliveries --webhook ${JSON.stringify(webhook)}`);
    case "cancelled":
      return io.note(`Cancelled after ${state.delivering} of ${records}.`);
    case "failed":
      return io.note(`Stopped after ${state.delivering} of ${records}: ${state.problem}`);
    default:
      return state.state satisfies never;
  }
}

async function upload(io: Io, posthorn: Posthorn, begun: Snapshot, file: string): Promise<Snapshot> {
  let state = begun;
  let part: string[] = [];
  let partBytes = 0;
  let offset = state.received;
  const send = async (): Promise<void> => {
    if (part.length === 0) return;
    state = await posthorn.snapshots.append(state.id, offset, part);
    offset += part.length;
    part = [];
    partBytes = 0;
    io.progress(`${offset} records stored…`);
  };
  let index = 0;
  for await (const text of linesOf(file)) {
    index += 1;
    if (index <= offset) continue;
    const byteLength = Buffer.byteLength(text);
    if (part.length === PART_RECORDS || partBytes + byteLength > PART_BYTES) await send();
    part.push(text);
    partBytes += byteLength;
  }
  await send();
  return posthorn.snapshots.complete(state.id);
}

/** The lines that hold something, each a JSON object. */
async function* linesOf(file: string): AsyncGenerator<string, void, undefined> {
  const lines = createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY });
  let number = 0;
  for await (const line of lines) {
    number += 1;
    if (line.trim() === "") continue;
    const value = parseJsonText(line, `${file}, line ${number},`);
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw usageFailure(`${file}, line ${number}, is no JSON object.`);
    }
    yield line;
  }
}

/** The same file has the same token, whatever it is called. */
async function tokenOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  try {
    for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  } catch (error) {
    throw usageFailure(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  return `file-${hash.digest("hex").slice(0, 32)}`;
}
