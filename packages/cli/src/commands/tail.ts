// posthorn tail: events as they are published, or deliveries as they get on, until it is stopped.
import type { EventHead, EventQuery, ListedDelivery, Posthorn } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { paintState } from "../lib/delivery-columns.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { countParser, timeParser } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";
import { DeliveryWatch } from "../live/delivery-watch.ts";
import { Follower } from "../live/follower.ts";
import { clockTime, streamLines } from "../live/lines.ts";
import { type Stop, untilStopped } from "../live/stop.ts";
import { stream } from "../live/stream.ts";

interface TailOptions extends ServerOptions {
  readonly deliveries?: boolean;
  readonly webhook?: string;
  readonly type?: string;
  readonly from?: string;
  readonly count?: number;
}

const LOOK_EVERY_MS = 700;

export function registerTail(program: Command): void {
  withServer(program.command("tail"))
    .option("--deliveries", "Deliveries as they arrive, fail, and are tried again")
    .option("--webhook <id or name>", "Deliveries of this webhook only")
    .option("--type <type>", "An event type, or a pattern: invoice.*")
    .option(
      "--from <time>",
      "Begin in the past: 2026-11-23T08:00:00Z, or 10m ago",
      timeParser(() => Date.now()),
    )
    .option("--count <count>", "End after so many", countParser(1, 999_999_999))
    .addHelpText(
      "after",
      `
Asks the server again and again; nothing is missed or shown twice, also when the
server was away for a while. A delivery is shown each time it was tried. --json
gives one object on each line.

Examples:
  posthorn tail --type 'invoice.*'
  posthorn tail --deliveries --webhook "CRM Customer Synchronization"
  posthorn tail --deliveries --json | jq 'select(.state == "dead_letter").id'
`,
    )
    .action(runs(tail));
}

interface Shown {
  readonly value: unknown;
  readonly lines: readonly string[];
}

async function tail(io: Io, options: TailOptions): Promise<void> {
  const { webhook, count } = options;
  if (webhook !== undefined && options.deliveries !== true) throw usageFailure("--webhook is for --deliveries.");
  // The stream has its own patience, and says that it has.
  const posthorn = clientOf(options, process.env, false);
  const stop = untilStopped();
  io.onCut = stop.end;
  try {
    const webhookId = webhook === undefined ? undefined : await webhookIdOf(posthorn, webhook);
    const shown =
      options.deliveries === true
        ? deliveries(io, posthorn, options, webhookId, stop)
        : events(io, posthorn, options, stop);
    let left = count ?? Number.POSITIVE_INFINITY;
    for await (const { value, lines } of shown) {
      if (io.isJson) io.jsonLine(value);
      else for (const line of lines) io.say(line);
      left -= 1;
      if (left === 0) break;
    }
  } catch (error) {
    // Ctrl-C during the first request is an end like any other.
    if (!stop.signal.aborted) throw error;
  } finally {
    stop.release();
  }
}

/** What a stream says beside what it shows. */
function saying(io: Io, what: string) {
  return {
    note: (line: string) => io.warn(line),
    begun: () => io.note(io.paintNote("dim", `Waiting for ${what}. Ctrl-C ends it.`)),
  };
}

const startOf = (from: string | undefined): number | null => (from === undefined ? null : Date.parse(from));

async function* events(
  io: Io,
  posthorn: Posthorn,
  { type, from }: TailOptions,
  { signal }: Stop,
): AsyncGenerator<Shown> {
  const follower = new Follower<EventHead>(
    {
      list: (since) => posthorn.events.list({ type, from: since, limit: 200 } as EventQuery, { signal }),
      // The sender's id is not in the order of the list.
      keyOf: (event) => event.recordId ?? event.id,
      madeAtMs: (event) => Date.parse(event.receivedAt),
    },
    startOf(from),
  );
  const look = (isFar: boolean) => follower.look(isFar);
  for await (const event of stream({ look, signal, everyMs: LOOK_EVERY_MS, ...saying(io, "events") })) {
    const cells = [
      { text: clockTime(Date.parse(event.receivedAt)), width: 8 },
      { text: event.event, width: 24, paint: (cell: string) => io.paint("bold", cell) },
      { text: deliveriesText(event.deliveryCount), width: 13 },
    ];
    const ids = [event.reference ?? "", event.id].filter((text) => text !== "");
    yield { value: event, lines: streamLines(io, cells, ids) };
  }
}

function deliveriesText(count: number): string {
  return count === 0 ? "no webhook" : `${count} ${count === 1 ? "delivery" : "deliveries"}`;
}

async function* deliveries(
  io: Io,
  posthorn: Posthorn,
  { type, from }: TailOptions,
  webhookId: string | undefined,
  { signal }: Stop,
): AsyncGenerator<Shown> {
  const watch = new DeliveryWatch(
    {
      list: (query) => posthorn.deliveries.list(query, { signal }),
      get: (id) => posthorn.deliveries.get(id, { signal }),
    },
    {
      query: { ...(webhookId === undefined ? {} : { webhookId }), ...(type === undefined ? {} : { type }) },
      startMs: startOf(from),
      nowMs: () => Date.now(),
    },
  );
  const look = (isFar: boolean) => watch.look(isFar);
  for await (const delivery of stream({ look, signal, everyMs: LOOK_EVERY_MS, ...saying(io, "deliveries") })) {
    yield { value: delivery, lines: deliveryLines(io, delivery) };
  }
}

function deliveryLines(io: Io, delivery: ListedDelivery): string[] {
  const { state, attemptCount, event, eventId, id, reference } = delivery;
  const endedAt = delivery.deliveredAt ?? delivery.deadAt ?? delivery.cancelledAt;
  const cells = [
    { text: clockTime(endedAt === undefined || endedAt === null ? Date.now() : Date.parse(endedAt)), width: 8 },
    { text: stateText(delivery), width: 11, paint: (cell: string) => paintState(io, state, cell) },
    { text: attemptCount === 0 ? "" : `#${attemptCount}`, width: 3 },
    { text: event, width: 20 },
    { text: whatNext(delivery), width: 0 },
  ];
  return streamLines(
    io,
    cells,
    [reference ?? "", eventId, id].filter((text) => text !== ""),
  );
}

/** Pending and tried means that it failed. */
function stateText({ state }: ListedDelivery): string {
  return state === "pending" ? "failed" : state.replace("_", " ");
}

function whatNext({ state, nextAttemptAt, deadReason, heldReason, cancelledReason }: ListedDelivery): string {
  if (state === "pending") return nextAttemptAt === null ? "" : `again ${clockTime(Date.parse(nextAttemptAt))}`;
  return deadReason ?? heldReason ?? cancelledReason ?? "";
}
