// posthorn parked-keys: keys of ordered webhooks that wait for a person, and letting them go: retried, or skipped.
import type { BulkResult, KeyRelease, ParkedKey, ParkedKeyFilter, Posthorn } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { forEach } from "../lib/each.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { parseJsonText, readInput } from "../lib/json-input.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface ListOptions extends ServerOptions {
  readonly webhook?: string;
  readonly key?: string;
  readonly limit: number;
}

interface ReleaseOptions extends ServerOptions {
  readonly webhook?: string;
  readonly key?: string;
  readonly all?: boolean;
  readonly dryRun?: boolean;
}

interface CorrectOptions extends ServerOptions {
  readonly data?: string;
  readonly file?: string;
  readonly note?: string;
}

const PART = 1_000;

/** What its last attempt met, in a word or two. */
function whyOf({ heldReason, lastAttempt }: ParkedKey): string {
  if (heldReason === "transformation_failed" || lastAttempt === null) return "template failed";
  const { outcome, outcomeCode, responseStatus } = lastAttempt;
  return [outcome.replaceAll("_", " "), responseStatus ?? outcomeCode].filter((part) => part !== null).join(" ");
}

const COLUMNS: readonly Column<ParkedKey>[] = [
  { title: "KEY", text: (key) => (key.orderingKey === "" ? "(none)" : key.orderingKey), shrinksTo: 12 },
  { title: "WAITING", text: (key) => `${key.waitingCount}${key.waitingIsMore ? "+" : ""}`, align: "right" },
  { title: "LAST TRY", text: whyOf, shrinksTo: 12 },
  { title: "SINCE", text: (key) => shownTime(key.parkedAt), goesAt: 2 },
  { title: "DELIVERY", text: (key) => key.deliveryId },
  { title: "EVENT", text: (key) => key.event ?? "", shrinksTo: 12, goesAt: 3 },
  { title: "REFERENCE", text: (key) => key.reference ?? "", shrinksTo: 8, goesAt: 5 },
  { title: "WEBHOOK", text: (key) => key.webhookName ?? key.webhookId, shrinksTo: 16, goesAt: 4 },
];

export function registerParkedKeys(program: Command): void {
  const keys = program.command("parked-keys").addHelpText(
    "after",
    `
Of an ordered webhook nothing goes out behind a delivery that used up its
attempts, until somebody decided about it.

Examples:
  posthorn parked-keys
  posthorn parked-keys retry dlv_01KATEK0G3F3Q8T9W7M1N5V2XB
  posthorn parked-keys skip --webhook "ERP Ledger" --key customer-17
  posthorn parked-keys retry --webhook "ERP Ledger"
  posthorn parked-keys correct dlv_01KATEK0G3F3Q8T9W7M1N5V2XB --file new.json
`,
  );

  withServer(keys.command("list", { isDefault: true }))
    .description("List parked keys, those of the newest deliveries first.")
    .option("--webhook <id or name>", "Of this webhook")
    .option("--key <key>", "Only this key")
    .option("--limit <count>", "How many", countParser(1, 10_000), 50)
    .action(
      runs(async (io, options: ListOptions) => {
        const posthorn = clientOf(options);
        const query = { ...(await filterOf(posthorn, options)), limit: Math.min(options.limit, 200) };
        await printList(io, posthorn.parkedKeys.list(query), options.limit, COLUMNS, "No parked keys.");
      }),
    );

  withServer(keys.command("correct"))
    .description("Send a corrected payload in the place of one that no receiver took; the event stays as it was.")
    .argument("<delivery>", "dlv_…: held, or a dead letter")
    .option("--data <json>", "What stands as `data`, whole")
    .option("--file <file>", "The same from a file; - for standard input")
    .option("--note <text>", "Why, for the record")
    .addHelpText(
      "after",
      `
What it was: posthorn events EVENT --json. The receiver sees the same webhook-id,
and X-BigLedger-Correction.

Example:
  posthorn parked-keys correct dlv_01KATEK0G3F3Q8T9W7M1N5V2XB --file new.json
`,
    )
    .action(runs(correct));

  registerRelease(
    keys,
    "retry",
    "Try what holds keys again, its policy from the start; when it arrives, the key goes on.",
  );
  registerRelease(keys, "skip", "Give up what holds keys: it becomes a dead letter, and the rest of its key goes on.");
}

function registerRelease(keys: Command, how: KeyRelease["how"], description: string): void {
  withServer(keys.command(how))
    .description(description)
    .argument("[delivery...]", "dlv_…, one or more, as the list shows them")
    .option("--webhook <id or name>", "All parked keys of this webhook")
    .option("--key <key>", "Of these only this key")
    .option("--all", "All parked keys of the tenant")
    .option("--dry-run", "Only count them")
    .addHelpText("after", `\nExample:\n  posthorn parked-keys ${how} --webhook "ERP Ledger" --dry-run\n`)
    .action(
      runs(async (io, options: ReleaseOptions, ids: string[]) => {
        const { webhook, key, all = false, dryRun = false } = options;
        const given = [ids.length > 0, webhook !== undefined, all].filter(Boolean).length;
        if (given !== 1)
          throw usageFailure("Which keys? Give ids of deliveries, --webhook WEBHOOK, or --all; one of them.");
        if (ids.length > 0 && (dryRun || key !== undefined)) throw usageFailure("--key and --dry-run are not for ids.");
        const posthorn = clientOf(options);
        if (ids.length === 0) return releaseMany(io, posthorn, { how, ...(await filterOf(posthorn, options)) }, dryRun);
        return forEach(
          io,
          ids,
          async (id) => (how === "skip" ? posthorn.deliveries.skip(id) : posthorn.deliveries.retry(id)),
          (id) => (how === "skip" ? `${id} is given up; its key goes on.` : `${id} is tried now.`),
        );
      }),
    );
}

async function correct(io: Io, options: CorrectOptions, id: string): Promise<void> {
  const { data, file, note } = options;
  if ((data === undefined) === (file === undefined)) throw usageFailure("With what? Give --data or --file.");
  const text = data ?? (await readInput(file as string)).toString("utf8");
  parseJsonText(text, file ?? "--data");
  // As it was written: JavaScript would round long numbers.
  const members = [`"data":${text}`, ...(note === undefined ? [] : [`"note":${JSON.stringify(note)}`])];
  const corrected = await clientOf(options).deliveries.correct(id, new TextEncoder().encode(`{${members.join()}}`));
  if (io.isJson) return io.json(corrected);
  io.say(`${id} goes on with ${corrected.correctionId}.`);
  io.note(`How it gets on: posthorn deliveries ${id}`);
}

async function filterOf(posthorn: Posthorn, options: ListOptions | ReleaseOptions): Promise<ParkedKeyFilter> {
  const { webhook, key } = options;
  return {
    ...(webhook === undefined ? {} : { webhookId: await webhookIdOf(posthorn, webhook) }),
    ...(key === undefined ? {} : { orderingKey: key }),
  };
}

async function releaseMany(io: Io, posthorn: Posthorn, what: KeyRelease, dryRun: boolean): Promise<void> {
  const { count: total } = await posthorn.parkedKeys.release({ ...what, dryRun: true });
  const most = dryRun ? 0 : total;
  let count = 0;
  // What fails again meanwhile is parked anew: no more than there were at the beginning.
  while (count < most) {
    const part: BulkResult = await posthorn.parkedKeys.release({ ...what, limit: Math.min(PART, most - count) });
    count += part.count;
    io.progress(`${count} of ${total}…`);
    if (!part.hasMore || part.count === 0) break;
  }
  if (dryRun) count = total;
  if (io.isJson) return io.json({ dryRun, how: what.how, count });
  if (count === 0) return io.note("No parked keys.");
  const keys = `${count} ${count === 1 ? "key" : "keys"}`;
  const done = what.how === "retry" ? "tried again" : "skipped";
  io.say(dryRun ? `What holds ${keys} would be ${done}.` : `What held ${keys} is ${done}.`);
}
