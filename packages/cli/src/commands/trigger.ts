// posthorn trigger: publishes an event by hand, the catalogue's example or one from a file, and can wait for what
// becomes of it.
import type { ListedDelivery, NewEvent, Posthorn, PublishedEvent } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { deliveryColumns } from "../lib/delivery-columns.ts";
import { CommandFailure, EXIT, type ExitCode, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { parseJsonText, readInput } from "../lib/json-input.ts";
import { runs } from "../lib/run.ts";
import { countParser, parseSeconds } from "../lib/values.ts";

interface TriggerOptions extends ServerOptions {
  readonly file?: string;
  readonly data?: string;
  readonly id?: string;
  readonly count: number;
  readonly wait?: number | boolean;
}

const DEFAULT_WAIT_SECONDS = 30;
const LOOK_EVERY_MS = 200;
/** More would be a load test; bench/ has one. */
const MAX_COUNT = 100_000;

export function registerTrigger(program: Command): void {
  withServer(program.command("trigger"))
    .argument("[event]", "the event type, such as invoice.paid; a file may say it instead")
    .option("--file <file>", "An event ({ event, data, … }), or with a type its data alone; - for standard input")
    .option("--data <json>", "What stands as `data`")
    .option("--id <id>", "The sender's own id for it")
    .option("--count <count>", "How many times", countParser(1, MAX_COUNT), 1)
    .option(
      "--wait [duration]",
      `Wait until its deliveries have ended or failed once, ${DEFAULT_WAIT_SECONDS}s at most`,
      parseSeconds,
    )
    .addHelpText(
      "after",
      `
Examples:
  posthorn trigger invoice.paid
  posthorn trigger sales_order.created --data '{"object":{"total":250}}' --wait
  posthorn trigger --file event.json
  posthorn trigger invoice.paid --count 1000
`,
    )
    .action(runs(trigger));
}

async function trigger(io: Io, options: TriggerOptions, type: string | undefined): Promise<ExitCode> {
  const { count, wait, id } = options;
  if (count > 1 && (wait !== undefined || id !== undefined)) {
    throw usageFailure(`--${wait === undefined ? "id" : "wait"} is for one event; --count asks for ${count}.`);
  }
  const posthorn = clientOf(options);
  const event = { ...(await eventToPublish(posthorn, options, type)), ...(id === undefined ? {} : { id }) };
  if (count > 1) return triggerMany(io, posthorn, event, count);
  const published = await posthorn.events.publish(event);
  if (wait === undefined || published.deliveries === 0) {
    if (io.isJson) io.json(published);
    else sayPublished(io, published);
    return EXIT.ok;
  }
  return waitFor(io, posthorn, published, wait === true ? DEFAULT_WAIT_SECONDS : Number(wait));
}

async function eventToPublish(
  posthorn: Posthorn,
  options: TriggerOptions,
  type: string | undefined,
): Promise<NewEvent> {
  const { file, data } = options;
  if (file !== undefined && data !== undefined) throw usageFailure("Give --file or --data, not both.");
  if (data !== undefined) {
    if (type === undefined) throw usageFailure("Which event type? posthorn trigger invoice.paid --data …");
    return { event: type, data: parseJsonText(data, "--data") };
  }
  if (file !== undefined) return eventOfFile(parseJsonText((await readInput(file)).toString("utf8"), file), file, type);
  if (type === undefined) throw usageFailure("Which event? Give an event type, or --file.");
  const { example } = await posthorn.eventTypes.get(type);
  if (typeof example !== "object" || example === null) {
    throw new CommandFailure("NO_EXAMPLE", `The event type ${type} has no example.`, {
      hint: "Give --data or --file.",
      exitCode: EXIT.usage,
    });
  }
  // The example's own time is long ago: it happens now.
  const { timestamp: _timestamp, ...rest } = example as NewEvent;
  return { ...rest, event: type };
}

/** A file is a whole event, unless an event type is given and it does not look like one. */
function eventOfFile(content: unknown, file: string, type: string | undefined): NewEvent {
  const isEvent = typeof content === "object" && content !== null && "event" in content && "data" in content;
  if (!isEvent) {
    if (type !== undefined) return { event: type, data: content };
    throw usageFailure(
      `${file} holds no event: \`event\` and \`data\` are expected.`,
      "Or give the event type before it.",
    );
  }
  const event = content as NewEvent;
  if (type !== undefined && event.event !== type) throw usageFailure(`${file} holds ${event.event}, not ${type}.`);
  return event;
}

function sayPublished(io: Io, { id, event, deliveries }: PublishedEvent): void {
  io.say(`${io.paint("bold", event)} ${id}`);
  if (deliveries === 0) io.say("No webhook asks for it.");
  else io.say(`${deliveries} ${deliveries === 1 ? "delivery" : "deliveries"}: posthorn deliveries --event ${id}`);
}

async function triggerMany(io: Io, posthorn: Posthorn, event: NewEvent, count: number): Promise<ExitCode> {
  const totals = { accepted: 0, refused: 0, deliveries: 0 };
  const reasons = new Map<string, number>();
  for (let done = 0; done < count; ) {
    const part = Math.min(1_000, count - done);
    for (const result of await posthorn.events.publishBatch(Array.from({ length: part }, () => event))) {
      if (result.status === "refused") {
        totals.refused += 1;
        reasons.set(result.error.code, (reasons.get(result.error.code) ?? 0) + 1);
      } else {
        totals.accepted += 1;
        totals.deliveries += result.deliveries;
      }
    }
    done += part;
    io.progress(`${done} of ${count} published…`);
  }
  if (io.isJson) io.json({ event: event.event, ...totals, refusals: Object.fromEntries(reasons) });
  else {
    io.say(`${io.paint("bold", event.event)} ${totals.accepted} published, ${totals.deliveries} deliveries.`);
    for (const [code, times] of reasons) io.note(`${times} refused: ${code}`);
  }
  return totals.refused === 0 ? EXIT.ok : EXIT.failed;
}

/** Ends when every delivery has ended, or has failed once and waits for its retry. */
async function waitFor(io: Io, posthorn: Posthorn, published: PublishedEvent, seconds: number): Promise<ExitCode> {
  const giveUpAtMs = performance.now() + seconds * 1_000;
  let deliveries: ListedDelivery[] = [];
  for (;;) {
    deliveries = await posthorn.deliveries.list({ eventId: published.id, limit: 200 }).take(published.deliveries);
    const open = deliveries.filter(({ state, attemptCount }) => state === "pending" && attemptCount === 0);
    if (deliveries.length === published.deliveries && open.length === 0) break;
    if (performance.now() > giveUpAtMs) {
      io.note(`Not all of them were tried within ${seconds} s.`);
      break;
    }
    io.progress(`${published.deliveries - open.length} of ${published.deliveries} tried…`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  if (io.isJson) io.json({ ...published, deliveries });
  else {
    io.say(`${io.paint("bold", published.event)} ${published.id}`);
    io.table(deliveries, deliveryColumns(io), "No delivery yet.");
  }
  const isDone = deliveries.length === published.deliveries && deliveries.every(({ state }) => state === "delivered");
  return isDone ? EXIT.ok : EXIT.failed;
}
