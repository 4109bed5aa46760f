// posthorn listen: brings a webhook's deliveries to a local URL, without a port that is open to the world. It reads what
// the server would send, and sends it itself; it never changes what becomes of a delivery.
import type { DeliveryRequest, ListedDelivery, Posthorn } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { type ToldFailure, toldFailure, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { countParser, parseMilliseconds, timeParser } from "../lib/values.ts";
import { webhookOf } from "../lib/webhook-of.ts";
import { Follower } from "../live/follower.ts";
import { below, clockTime, streamLines } from "../live/lines.ts";
import { untilStopped } from "../live/stop.ts";
import { stream } from "../live/stream.ts";
import { type Forwarded, forward } from "../receiver/forward.ts";

interface ListenOptions extends ServerOptions {
  readonly webhook: string;
  readonly forwardTo: string;
  readonly type?: string;
  readonly from?: string;
  readonly timeout: number;
  readonly count?: number;
}

const LOOK_EVERY_MS = 500;
/** What was found is forwarded: it is waited for a server that is restarted. */
const PATIENT = { maxTries: 1_000, maxDelayMs: 5_000, deadlineMs: 10 * 60_000 };

export function registerListen(program: Command): void {
  withServer(program.command("listen"))
    .requiredOption("--webhook <id or name>", "Whose deliveries")
    .requiredOption("--forward-to <url>", "Where to bring them: http://localhost:3000/hook")
    .option("--type <type>", "Of these only this event type, or pattern")
    .option(
      "--from <time>",
      "Those of the past too: 10m ago, or a time",
      timeParser(() => Date.now()),
    )
    .option("--timeout <duration>", "How long to wait for an answer", parseMilliseconds, 30_000)
    .option("--count <count>", "End after so many", countParser(1, 999_999_999))
    .addHelpText(
      "after",
      `
Each delivery comes once, oldest first, one after the other, with a signature
that is valid now. What your receiver answers changes nothing at the server: the
delivery itself goes to the webhook's own URL, or waits while that is paused.
Values of authorisation and secret headers stay at the server and come masked.

The key needs read:events, read:webhooks and write:deliveries.

Examples:
  posthorn listen --webhook "CRM Sync" --forward-to http://localhost:3000/hook
  posthorn listen --webhook CRM --forward-to http://localhost:3000/ --from 1h
`,
    )
    .action(runs(listen));
}

async function listen(io: Io, options: ListenOptions): Promise<void> {
  const to = urlOf(options.forwardTo);
  const posthorn = clientOf(options, process.env, false);
  const patient = clientOf(options, process.env, PATIENT);
  const stop = untilStopped();
  const { signal } = stop;
  io.onCut = stop.end;
  const counts = { forwarded: 0, accepted: 0 };
  try {
    const webhook = await webhookOf(posthorn, options.webhook);
    const follower = followerOf(posthorn, webhook.id, options, signal);
    const said = {
      note: (line: string) => io.warn(line),
      begun: () => io.note(`Deliveries of ${webhook.name ?? webhook.id} go to ${to.href}. Ctrl-C ends it.`),
    };
    const look = (isFar: boolean) => follower.look(isFar);
    for await (const delivery of stream({ look, signal, everyMs: LOOK_EVERY_MS, ...said })) {
      const made = await requestOf(patient, delivery, signal);
      const done = made.ok ? await forward(made.request, to, { timeoutMs: options.timeout, signal }) : null;
      if (signal.aborted) break;
      counts.forwarded += 1;
      if (done?.kind === "answered" && done.status >= 200 && done.status <= 299) counts.accepted += 1;
      show(io, delivery, made.ok ? (done as Forwarded) : { kind: "not_made", ...made.failure });
      if (counts.forwarded === options.count) break;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    stop.release();
  }
  io.note(`${counts.forwarded} forwarded, ${counts.accepted} answered with 2xx.`);
}

function urlOf(text: string): URL {
  // `localhost:3000` parses, as a URL whose scheme is localhost.
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
    throw usageFailure("--forward-to: expected a URL such as http://localhost:3000/hook.");
  }
  return new URL(text);
}

function followerOf(posthorn: Posthorn, webhookId: string, { type, from }: ListenOptions, signal: AbortSignal) {
  const query = { webhookId, limit: 200, ...(type === undefined ? {} : { type }) };
  return new Follower<ListedDelivery>(
    {
      list: (since) =>
        posthorn.deliveries.list({ ...query, ...(since === undefined ? {} : { from: since }) }, { signal }),
      keyOf: (delivery) => delivery.id,
      madeAtMs: (delivery) => Date.parse(delivery.createdAt),
    },
    from === undefined ? null : Date.parse(from),
  );
}

type Made =
  | { readonly ok: true; readonly request: DeliveryRequest }
  | { readonly ok: false; readonly failure: Pick<ToldFailure, "code" | "message"> };

/** What cannot be made of one delivery must not keep the others away: an erased payload, a template that does not fit. */
async function requestOf(posthorn: Posthorn, { id }: ListedDelivery, signal: AbortSignal): Promise<Made> {
  try {
    return { ok: true, request: await posthorn.deliveries.request(id, { signal }) };
  } catch (error) {
    const failure = toldFailure(error);
    if (failure === null || !["CONFLICT", "NOT_FOUND"].includes(failure.code)) throw error;
    return { ok: false, failure };
  }
}

function show(
  io: Io,
  delivery: ListedDelivery,
  outcome: Forwarded | ({ readonly kind: "not_made" } & Pick<ToldFailure, "code" | "message">),
): void {
  const { id, event, eventId } = delivery;
  const atMs = Date.now();
  if (io.isJson) return io.jsonLine({ at: new Date(atMs).toISOString(), deliveryId: id, event, eventId, outcome });
  const isGood = outcome.kind === "answered" && outcome.status >= 200 && outcome.status <= 299;
  const cells = [
    { text: clockTime(atMs), width: 8 },
    {
      text: outcome.kind === "answered" ? String(outcome.status) : "–",
      width: 3,
      paint: (cell: string) => io.paint(isGood ? "green" : "red", cell),
    },
    {
      text: outcome.kind === "not_made" ? "" : `${Math.round(outcome.durationMs)} ms`,
      width: 8,
      align: "right" as const,
    },
    { text: event, width: 20 },
  ];
  for (const line of streamLines(io, cells, [eventId, id])) io.say(line);
  if (outcome.kind !== "answered") for (const line of below(io, `${outcome.code}: ${outcome.message}`)) io.say(line);
}
