// posthorn dead-letters: what is not tried by itself any more, in groups that say why, or one by one.
import type { DeadLetter, DeadLetterFilter, Posthorn } from "@posthorn/client";
import { type Command, Option } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime, timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface DeadLettersOptions extends ServerOptions {
  readonly webhook?: string;
  readonly reason?: string;
  readonly type?: string;
  readonly from?: string;
  readonly to?: string;
  readonly list?: boolean;
  readonly limit: number;
}

const REASONS = [
  "attempts_exhausted",
  "endpoint_gone",
  "webhook_disabled",
  "rejected_permanently",
  "expired",
  "skipped",
];
/** So many are looked at for the groups; newest first. */
const MOST_GROUPED = 10_000;

export function registerDeadLetters(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("dead-letters"))
    .option("--webhook <id or name>", "Of this webhook")
    .addOption(new Option("--reason <reason>", "Only those that ended for this reason").choices(REASONS))
    .option("--type <type>", "An event type, or a pattern: invoice.*")
    .option("--from <time>", "From this time on: 2026-11-23T08:00:00Z, 2026-11-23, or 2h ago", time)
    .option("--to <time>", "Before this time", time)
    .option("--list", "One by one instead of in groups")
    .option("--limit <count>", "How many with --list", countParser(1, 100_000), 20)
    .addHelpText(
      "after",
      `
Examples:
  posthorn dead-letters
  posthorn dead-letters --webhook "CRM Sync" --from 2h --list
  posthorn retry --dead-letters-of "CRM Sync" --from 2h
`,
    )
    .action(runs(deadLetters));
}

async function deadLetters(io: Io, options: DeadLettersOptions): Promise<void> {
  const posthorn = clientOf(options);
  const { reason, type, from, to, limit } = options;
  const webhookId = options.webhook === undefined ? undefined : await webhookIdOf(posthorn, options.webhook);
  const filter = { webhookId, reason, type, from, to } as DeadLetterFilter;
  if (options.list === true) {
    const listing = posthorn.deadLetters.list({ ...filter, limit: Math.min(limit, 200) });
    return printList(io, listing, limit, LIST_COLUMNS, "No dead letters.");
  }
  const { groups, isCut } = await groupsOf(io, posthorn, filter);
  if (io.isJson) return io.json(groups);
  io.table(groups, GROUP_COLUMNS, "No dead letters.");
  if (isCut) io.note(`These are the newest ${MOST_GROUPED}; there are more.`);
  const [worst] = groups;
  if (worst === undefined) return;
  io.note("");
  io.note(`One of them: posthorn deliveries ${worst.newestId}`);
  io.note(`All again:   posthorn retry --dead-letters-of ${JSON.stringify(worst.webhook ?? worst.webhookId)}`);
}

/** What the last attempt met, in a word or two. */
function lastOf({ lastAttempt, deadReason }: DeadLetter): string {
  if (lastAttempt === null) return deadReason ?? "";
  const { outcome, outcomeCode, responseStatus } = lastAttempt;
  return [outcome.replaceAll("_", " "), responseStatus ?? outcomeCode].filter((part) => part !== null).join(" ");
}

const LIST_COLUMNS: readonly Column<DeadLetter>[] = [
  { title: "ID", text: (letter) => letter.id },
  { title: "LAST TRY", text: lastOf, shrinksTo: 12 },
  { title: "EVENT", text: (letter) => letter.event, shrinksTo: 12, goesAt: 3 },
  { title: "REFERENCE", text: (letter) => letter.reference ?? "", shrinksTo: 8, goesAt: 2 },
  { title: "TRIES", text: (letter) => String(letter.attemptCount), align: "right", goesAt: 5 },
  { title: "SINCE", text: (letter) => shownTime(letter.deadAt), goesAt: 4 },
  { title: "WEBHOOK", text: (letter) => letter.webhookId, goesAt: 6 },
];

interface Group {
  readonly count: number;
  readonly lastTry: string;
  readonly reason: string | null;
  readonly webhookId: string;
  /** Null where it has none, or is deleted. */
  readonly webhook: string | null;
  readonly oldestAt: string | null;
  readonly newestAt: string | null;
  readonly newestId: string;
}

const GROUP_COLUMNS: readonly Column<Group>[] = [
  { title: "COUNT", text: (group) => String(group.count), align: "right" },
  { title: "LAST TRY", text: (group) => group.lastTry, shrinksTo: 14 },
  { title: "WEBHOOK", text: (group) => group.webhook ?? group.webhookId, shrinksTo: 20 },
  { title: "REASON", text: (group) => group.reason ?? "", goesAt: 3, shrinksTo: 10 },
  { title: "OLDEST", text: (group) => shownTime(group.oldestAt), goesAt: 2 },
  { title: "NEWEST", text: (group) => shownTime(group.newestAt), goesAt: 1 },
];

/** The largest group first. */
async function groupsOf(
  io: Io,
  posthorn: Posthorn,
  filter: DeadLetterFilter,
): Promise<{ readonly groups: Group[]; readonly isCut: boolean }> {
  const names = new Map((await posthorn.webhooks.list({ limit: 200 }).take(1_000)).map(({ id, name }) => [id, name]));
  const groups = new Map<string, Group>();
  let count = 0;
  for await (const letter of posthorn.deadLetters.list({ ...filter, limit: 200 })) {
    if (count === MOST_GROUPED) return { groups: sorted(groups), isCut: true };
    count += 1;
    if (count % 200 === 0) io.progress(`${count} read…`);
    const { webhookId, deadReason = null, deadAt = null, id } = letter;
    const lastTry = lastOf(letter);
    const key = JSON.stringify([webhookId, lastTry, deadReason]);
    const before = groups.get(key);
    groups.set(key, {
      count: (before?.count ?? 0) + 1,
      lastTry,
      reason: deadReason,
      webhookId,
      webhook: names.get(webhookId) ?? null,
      // Newest first: the first one seen stays the newest.
      newestAt: before?.newestAt ?? deadAt,
      newestId: before?.newestId ?? id,
      oldestAt: deadAt,
    });
  }
  return { groups: sorted(groups), isCut: false };
}

function sorted(groups: ReadonlyMap<string, Group>): Group[] {
  return [...groups.values()].sort((a, b) => b.count - a.count);
}
