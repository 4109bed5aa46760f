// posthorn webhooks: who gets what and how it goes, and pausing, resuming, testing and deleting one.
import type { Condition, LogQuery, MissedEvents, Posthorn, Webhook, WebhookLog, WebhookStatus } from "@posthorn/client";
import { type Command, Option } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import type { Colour, Io } from "../lib/io.ts";
import { parseJsonText } from "../lib/json-input.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime } from "../lib/values.ts";
import { webhookIdOf, webhookOf } from "../lib/webhook-of.ts";
import { registerCreate } from "./webhooks-create.ts";

interface ListOptions extends ServerOptions {
  readonly status?: WebhookStatus;
  readonly limit: number;
}

interface LogsOptions extends ServerOptions {
  readonly status?: LogQuery["status"];
  readonly type?: string;
  readonly limit: number;
}

const STATUS_COLOURS: Readonly<Record<WebhookStatus, Colour>> = { enabled: "green", paused: "yellow", disabled: "red" };
const paintStatus = (io: Io, status: WebhookStatus, text: string = status): string =>
  io.paint(STATUS_COLOURS[status] ?? "bold", text);

const columnsOf = (io: Io): Column<Webhook>[] => [
  { title: "ID", text: (webhook) => webhook.id, goesAt: 3 },
  { title: "NAME", text: (webhook) => webhook.name ?? "", shrinksTo: 16 },
  { title: "STATUS", text: (webhook) => webhook.status, paint: (cell, { status }) => paintStatus(io, status, cell) },
  { title: "EVENTS", text: (webhook) => webhook.events.join(" "), shrinksTo: 12, goesAt: 2 },
  { title: "URL", text: (webhook) => webhook.url, shrinksTo: 20, goesAt: 4 },
];

export function registerWebhooks(program: Command): void {
  const webhooks = program.command("webhooks").addHelpText(
    "after",
    `
Examples:
  posthorn webhooks
  posthorn webhooks show "CRM Customer Synchronization"
  posthorn webhooks test "CRM Customer Synchronization" --event customer.created
  posthorn webhooks pause "CRM Customer Synchronization"

posthorn apply FILE makes and changes webhooks with all that they can have.
`,
  );

  withServer(webhooks.command("list", { isDefault: true }))
    .description("List webhooks, newest first.")
    .addOption(new Option("--status <status>", "Only these").choices(["enabled", "paused", "disabled"]))
    .option("--limit <count>", "How many", countParser(1, 10_000), 50)
    .action(
      runs(async (io, { status, limit, ...options }: ListOptions) => {
        const query = { limit: Math.min(limit, 200), ...(status === undefined ? {} : { status }) };
        const listing = clientOf(options).webhooks.list(query);
        await printList(
          io,
          listing,
          limit,
          columnsOf(io),
          "No webhooks. posthorn webhooks create makes one, posthorn apply FILE many.",
        );
      }),
    );

  withServer(webhooks.command("show"))
    .description("Show one webhook with its figures and what it delivered last.")
    .argument("<webhook>", "its id or name")
    .action(runs(showWebhook));

  registerCreate(webhooks);

  withServer(webhooks.command("logs"))
    .description("List a webhook's deliveries with the answer to each one's latest try, newest first.")
    .argument("<webhook>", "its id or name")
    .addOption(new Option("--status <status>", "Only these").choices(["success", "failed", "pending"]))
    .option("--type <type>", "Only this event type")
    .option("--limit <count>", "How many", countParser(1, 10_000), 20)
    .addHelpText("after", '\nExample:\n  posthorn webhooks logs "CRM Customer Synchronization" --status failed\n')
    .action(
      runs(async (io, { status, type, limit, ...options }: LogsOptions, given: string) => {
        const posthorn = clientOf(options);
        const id = await webhookIdOf(posthorn, given);
        const query = { status, event: type, limit: Math.min(limit, 200) } as LogQuery;
        await printList(io, posthorn.webhooks.logs(id, query), limit, LOG_COLUMNS, "No deliveries.");
      }),
    );

  withServer(webhooks.command("test"))
    .description("Send one real request now and show what came back; nothing is stored.")
    .argument("<webhook>", "its id or name")
    .requiredOption("--event <type>", "The event type; its example in the catalogue is sent")
    .option("--data <json>", "What stands as `data` instead of the example")
    .option("--next-secret", "Sign with the secret that a rotation brings")
    .addHelpText("after", '\nExample:\n  posthorn webhooks test "E-Commerce Orders" --event sales_order.created\n')
    .action(runs(testWebhook));

  for (const [name, text] of [
    ["pause", "Hold deliveries: events are still matched, nothing is sent."],
    ["resume", "Send what was held, and go on."],
  ] as const) {
    withServer(webhooks.command(name))
      .description(text)
      .argument("<webhook>", "its id or name")
      .action(
        runs(async (io, options: ServerOptions, given: string) => {
          const posthorn = clientOf(options);
          const webhook = await posthorn.webhooks[name](await webhookIdOf(posthorn, given));
          if (io.isJson) return io.json(webhook);
          io.say(`${webhook.name ?? webhook.id} is ${paintStatus(io, webhook.status)}.`);
        }),
      );
  }

  for (const [name, text] of [
    ["enable", "Hear events again, and see how many were missed meanwhile."],
    ["disable", "Hear nothing more; what was owed becomes dead letters."],
  ] as const) {
    withServer(webhooks.command(name))
      .description(text)
      .argument("<webhook>", "its id or name")
      .action(
        runs(async (io, options: ServerOptions, given: string) => {
          const posthorn = clientOf(options);
          const id = await webhookIdOf(posthorn, given);
          const webhook = await posthorn.webhooks.update(id, { active: name === "enable" });
          if (io.isJson) return io.json(webhook);
          io.say(`${webhook.name ?? webhook.id} is ${paintStatus(io, webhook.status)}.`);
          if (webhook.missed !== undefined) sayMissed(io, given, webhook.missed);
        }),
      );
  }

  withServer(webhooks.command("delete"))
    .description("Delete a webhook; what it has not delivered yet is cancelled.")
    .argument("<webhook>", "its id or name")
    .action(
      runs(async (io, options: ServerOptions, given: string) => {
        const posthorn = clientOf(options);
        const { id, name } = await webhookOf(posthorn, given);
        await posthorn.webhooks.delete(id);
        if (io.isJson) return io.json({ id, deleted: true });
        io.say(`${name ?? id} is deleted.`);
      }),
    );
}

function sayMissed(io: Io, webhook: string, { count, isMore, from, to }: MissedEvents): void {
  if (count === 0 && !isMore) return io.say("It missed nothing while it was disabled.");
  io.say(
    `It missed ${isMore ? "more than " : ""}${count} ${count === 1 ? "event" : "events"} since ${shownTime(from)}.`,
  );
  const range = `--webhook ${JSON.stringify(webhook)} --from ${from} --to ${to}`;
  io.note(`To bring exactly these: posthorn replay ${range} --which missed`);
}

async function showWebhook(io: Io, options: ServerOptions, given: string): Promise<void> {
  const posthorn = clientOf(options);
  const webhook = await posthorn.webhooks.get(await webhookIdOf(posthorn, given));
  if (io.isJson) return io.json(webhook);
  const { retryPolicy, rateLimit, transform, secretRotation, auth, signature } = webhook;
  const profiles = signature?.profiles.map((profile) => (typeof profile === "string" ? profile : profile.header));
  io.say(`${paintStatus(io, webhook.status)}  ${io.paint("bold", webhook.name ?? "(no name)")}`);
  io.fields([
    ["Id", webhook.id],
    ["Description", webhook.description],
    ["URL", `${webhook.method} ${webhook.url}`],
    ["Events", webhook.events.join(" ")],
    ["Filters", filtersText(webhook.filters)],
    ["Conditions", conditionsText(webhook)],
    ["Format", webhook.format === "bigledger" || transform !== null ? null : webhook.format],
    ["Template", transform === null ? null : JSON.stringify(transform?.template)],
    ["Privacy", webhook.privacy === null ? null : JSON.stringify(webhook.privacy)],
    ["Per event", webhook.perEvent === null ? null : JSON.stringify(webhook.perEvent)],
    ["Auth", auth?.type === "none" ? null : auth?.type],
    ["Signature", profiles?.join(", ")],
    ["Allowed IPs", webhook.allowedIps?.join(", ")],
    ["Rate limit", rateLimit === null || rateLimit === undefined ? null : `${rateLimit.limit} a ${rateLimit.per}`],
    ["Retries", retryPolicy === null ? "default schedule" : retriesText(retryPolicy)],
    ["Hours", retryPolicy?.calendar === undefined ? null : `by the calendar of ${retryPolicy.calendar.timeZone}`],
    ["Expires after", webhook.expireAfter === null ? null : `${webhook.expireAfter} s`],
    ["Checked", webhook.checkAfter === null ? null : `when nothing was sent for ${webhook.checkAfter} s`],
    ["Timeout", `${webhook.timeout} s`],
    ["Mode", webhook.livemode ? "live" : "sandbox"],
    ["Version", `${webhook.version}, ${shownTime(webhook.updatedAt)}`],
    ["Disabled", webhook.disabledReason],
    ["Rotation", secretRotation === undefined ? null : `until ${shownTime(secretRotation.overlapEndsAt)}`],
    ["Health", healthText(webhook.health)],
    ["Delivered", webhook.statistics?.totalDelivered],
    ["Failed", webhook.statistics?.totalFailed],
    ["Last", shownTime(webhook.statistics?.lastDelivery) || null],
  ]);
  await showLatest(io, posthorn, webhook.id);
}

function filtersText(filters: Webhook["filters"]): string | null {
  const lines = isList(filters)
    ? filters
    : Object.entries(filters).map(([path, accepted]) => `${path}: ${JSON.stringify(accepted)}`);
  return lines.length === 0 ? null : lines.join("\n");
}

function isList(filters: Webhook["filters"]): filters is readonly string[] {
  return Array.isArray(filters);
}

/** One a line, in its own words; groups in brackets. */
function conditionsText({ conditions, conditionLogic }: Pick<Webhook, "conditions" | "conditionLogic">): string | null {
  const text = (condition: Condition): string =>
    "conditions" in condition
      ? `(${condition.conditions.map(text).join(` ${condition.conditionLogic ?? "AND"} `)})`
      : [
          condition.field,
          condition.operator,
          ...(condition.value === undefined ? [] : [JSON.stringify(condition.value)]),
        ].join(" ");
  return conditions.length === 0 ? null : conditions.map(text).join(` ${conditionLogic}\n`);
}

/** In a word, with what is wrong and when it goes on. */
function healthText(health: Webhook["health"]): string | null {
  if (health === undefined) return null;
  const { status, reason, nextProbeAt, score } = health;
  const parts = [
    score === null ? status : `${status} (score ${score})`,
    reason,
    nextProbeAt === null ? null : `Deliveries are held until ${shownTime(nextProbeAt)}.`,
  ];
  return parts.filter((part) => part !== null).join(" ");
}

function retriesText(policy: NonNullable<Webhook["retryPolicy"]>): string {
  const seconds = (duration: unknown) => (typeof duration === "number" ? `${duration} s` : String(duration));
  if (policy.delays !== undefined) return `${policy.delays.length}, after ${policy.delays.map(seconds).join(", ")}`;
  if (policy.backoff === "standard") return "default schedule";
  if (policy.maxRetries === 0) return "none";
  const growth =
    policy.backoff === "linear" ? `plus ${seconds(policy.increment)}` : `times ${policy.backoffMultiplier}`;
  return `${policy.maxRetries}, after ${seconds(policy.retryDelay)}, ${growth}`;
}

const LOG_COLUMNS: readonly Column<WebhookLog>[] = [
  { title: "STATUS", text: (entry) => entry.status },
  { title: "EVENT", text: (entry) => entry.event ?? "", shrinksTo: 12 },
  { title: "CODE", text: (entry) => String(entry.responseCode ?? ""), align: "right" },
  { title: "MS", text: (entry) => String(entry.responseTime ?? ""), align: "right", goesAt: 6 },
  { title: "AT", text: (entry) => shownTime(entry.lastAttemptAt), goesAt: 3 },
  {
    title: "WHY",
    text: (entry) => entry.reason ?? (entry.status === "success" ? "" : (entry.outcome ?? "")),
    goesAt: 4,
  },
  { title: "DELIVERY", text: (entry) => entry.deliveryId, goesAt: 5 },
  { title: "ANSWER", text: answerOf, shrinksTo: 10, goesAt: 2 },
];

/** The first line of what came back; of one that arrived it matters to nobody. */
function answerOf({ status, responseBody }: WebhookLog): string {
  return status === "success" ? "" : (responseBody?.trim().split("\n")[0] ?? "");
}

async function showLatest(io: Io, posthorn: Posthorn, id: string): Promise<void> {
  io.heading("Latest deliveries");
  io.table(await posthorn.webhooks.logs(id, { limit: 5 }).take(5), LOG_COLUMNS, "None yet.");
}

interface TestOptions extends ServerOptions {
  readonly event: string;
  readonly data?: string;
  readonly nextSecret?: boolean;
}

async function testWebhook(io: Io, options: TestOptions, given: string): Promise<0 | 1> {
  const posthorn = clientOf(options);
  const result = await posthorn.webhooks.test(await webhookIdOf(posthorn, given), {
    event: options.event,
    ...(options.data === undefined ? {} : { testData: parseJsonText(options.data, "--data") }),
    ...(options.nextSecret === true ? { secret: "next" as const } : {}),
  });
  if (io.isJson) io.json(result);
  else {
    const colour = result.delivered ? "green" : "red";
    io.say(io.paint(colour, result.delivered ? "delivered" : result.outcome));
    io.fields([
      ["Request", result.request === null ? null : `${result.request.method} ${result.request.url}`],
      ["Answer", result.responseCode],
      ["Took", result.responseTime === null ? null : `${result.responseTime} ms`],
      ["Body", result.responseBody === "" ? null : result.responseBody],
      ["Error", result.error === undefined ? null : `${result.error.code}: ${result.error.message}`],
      ["Warnings", result.warnings?.map((warning) => `${warning.field}: ${warning.message}`).join("\n")],
    ]);
  }
  return result.delivered ? 0 : 1;
}
