// posthorn deliveries: what was brought where, as a list or one with every attempt.
import type { Attempt, DeliveryQuery, DeliveryRecord, ListedDelivery } from "@posthorn/client";
import { type Command, Option } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { deliveryColumns, paintState } from "../lib/delivery-columns.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { countParser, shownTime, timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface DeliveriesOptions extends ServerOptions {
  readonly state?: DeliveryQuery["state"];
  readonly webhook?: string;
  readonly event?: string;
  readonly type?: string;
  readonly reference?: string;
  readonly externalId?: string;
  readonly batch?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

const OF_EVENTS: readonly Column<ListedDelivery>[] = [
  { title: "EVENT", text: (delivery) => delivery.event, shrinksTo: 12 },
  { title: "REFERENCE", text: (delivery) => delivery.reference ?? "", shrinksTo: 8, goesAt: 1 },
];

export function registerDeliveries(program: Command): void {
  const time = timeParser(() => Date.now());
  withServer(program.command("deliveries"))
    .argument("[id]", "dlv_…")
    .addOption(
      new Option("--state <state>", "Only these").choices(["pending", "held", "delivered", "dead_letter", "cancelled"]),
    )
    .option("--webhook <id or name>", "Of this webhook")
    .option("--event <id>", "Of this event")
    .option("--type <type>", "An event type, or a pattern: invoice.*")
    .option("--reference <text>", "The business number: INV-00871")
    .option("--external-id <text>", "What the receiver calls it, where a rule extracts it")
    .option("--batch <id>", "Of this batch: batch_…, as receivers see it")
    .option("--from <time>", "From this time on: 2026-11-23T08:00:00Z, 2026-11-23, or 2h ago", time)
    .option("--to <time>", "Before this time", time)
    .option("--limit <count>", "How many", countParser(1, 100_000), 20)
    .addHelpText(
      "after",
      `
Examples:
  posthorn deliveries --state dead_letter --webhook "CRM Sync"
  posthorn deliveries --reference INV-00871
  posthorn deliveries dlv_01KATEK0G3F3Q8T9W7M1N5V2XB
`,
    )
    .action(
      runs(async (io, options: DeliveriesOptions, id: string | undefined) => {
        const posthorn = clientOf(options);
        if (id !== undefined) return showDelivery(io, await posthorn.deliveries.get(id));
        const { state, event, type, reference, externalId, batch, from, to, limit } = options;
        const webhookId = options.webhook === undefined ? undefined : await webhookIdOf(posthorn, options.webhook);
        const found = { state, webhookId, eventId: event, batchId: batch, type, reference, externalId, from, to };
        const query = { ...found, limit: Math.min(limit, 200) };
        const listing = posthorn.deliveries.list(query as DeliveryQuery);
        await printList(io, listing, limit, deliveryColumns(io, OF_EVENTS), "No deliveries.");
        if (state === "dead_letter") io.note(io.paintNote("dim", "What they met: posthorn dead-letters"));
      }),
    );
}

export function showDelivery(io: Io, delivery: DeliveryRecord): void {
  if (io.isJson) return io.json(delivery);
  io.say(`${paintState(io, delivery.state)}  ${delivery.id}`);
  io.fields([
    ["Event", `${delivery.event} ${delivery.eventId}`],
    ["Reference", delivery.reference],
    ["Webhook", `${delivery.webhookId} (version ${delivery.webhookVersion})`],
    ["Made", shownTime(delivery.createdAt)],
    ["Held", delivery.heldReason],
    ["Reason", delivery.deadReason ?? delivery.cancelledReason],
    ["Next tries", delivery.nextAttempts?.map(shownTime).join(", ")],
  ]);
  for (const attempt of delivery.attempts) showAttempt(io, attempt);
  if (delivery.state === "dead_letter") {
    io.note(`\nposthorn retry ${delivery.id} tries it again.`);
  }
}

function showAttempt(io: Io, attempt: Attempt): void {
  const { request, response } = attempt;
  const colour = attempt.outcome === "delivered" ? "green" : "red";
  io.heading(`Attempt ${attempt.number}`);
  io.say(`${io.paint(colour, attempt.outcome)}${attempt.outcomeCode === null ? "" : ` (${attempt.outcomeCode})`}`);
  io.fields([
    ["Started", `${shownTime(attempt.startedAt)} (${attempt.trigger})`],
    ["Took", `${attempt.durationMs} ms`],
    ["Request", `${request.method} ${request.url}`],
    ["Address", attempt.address],
    ["Answer", response === null ? null : String(response.status)],
    ["Body", response === null || response.body === "" ? null : excerpt(response)],
    [
      "Extracted",
      Object.entries(attempt.extracted ?? {})
        .map(([name, text]) => `${name}: ${text}`)
        .join("\n") || null,
    ],
    ["Warnings", attempt.warnings?.map((warning) => `${warning.field}: ${warning.message}`).join("\n")],
  ]);
}

const EXCERPT_CHARACTERS = 500;

function excerpt(response: NonNullable<Attempt["response"]>): string {
  if (response.bodyEncoding === "base64") return `(${response.body.length} characters of base64)`;
  const isWhole = response.body.length <= EXCERPT_CHARACTERS && !response.bodyTruncated;
  return `${response.body.slice(0, EXCERPT_CHARACTERS).trimEnd()}${isWhole ? "" : "…"}`;
}
