// What `posthorn receive` does: listens, answers as it was told, says what came, and leaves nothing behind.
// Must never print a secret that it was given.
import { hostname } from "node:os";
import type { Posthorn } from "@posthorn/client";
import { EXIT, type ExitCode } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { clean } from "../lib/text.ts";
import { below } from "../live/lines.ts";
import { pause, type Stop, untilStopped } from "../live/stop.ts";
import { judge } from "../receiver/judge.ts";
import { type AnswerPlan, plannedStatus, seededChance } from "../receiver/plan.ts";
import { describe, type Received, receivedLines } from "../receiver/received.ts";
import { type GivenAnswer, type LocalServer, startLocalServer, type Taken } from "../receiver/server.ts";

export interface ReceiveOptions {
  readonly at: { readonly host: string; readonly port: number };
  /** Null: no webhook is made. */
  readonly posthorn: Posthorn | null;
  readonly types: readonly string[];
  readonly secrets: readonly string[];
  /** Made for this run, not given. */
  readonly isOwnSecret: boolean;
  readonly plan: AnswerPlan;
  readonly seed: number | null;
  readonly delayMs: number;
  readonly isStrict: boolean;
  readonly showsBodies: boolean;
  readonly endAfter: number | null;
  readonly nowMs: () => number;
}

export async function runReceive(io: Io, options: ReceiveOptions): Promise<ExitCode> {
  const stop = untilStopped();
  io.onCut = stop.end;
  const counts = { requests: 0, verified: 0, failed: 0, repeated: 0 };
  const server = await startLocalServer(options.at, answerer(io, options, counts, stop));
  let webhookId: string | null = null;
  try {
    if (options.posthorn !== null) webhookId = await subscribe(io, options, options.posthorn, server);
    greet(io, options, server, webhookId);
    await stopped(stop.signal);
  } finally {
    // In this order: what is cancelled is not sent any more, then the port goes.
    if (webhookId !== null) await unsubscribe(io, options.posthorn as Posthorn, webhookId);
    await server.close();
    stop.release();
  }
  if (io.isJson) io.jsonLine({ kind: "end", ...counts });
  else io.note(endText(counts));
  return EXIT.ok;
}

/** Ids that were seen, for `again`; the oldest are forgotten. */
const MAX_SEEN = 100_000;

interface Counts {
  requests: number;
  verified: number;
  failed: number;
  repeated: number;
}

function answerer(io: Io, options: ReceiveOptions, counts: Counts, stop: Stop) {
  const { plan, isStrict, delayMs, secrets, endAfter, nowMs } = options;
  const chance = options.seed === null ? Math.random : seededChance(options.seed);
  const seen = new Set<string>();
  const told = new Set<string>();
  return async (taken: Taken): Promise<GivenAnswer | null> => {
    const atMs = nowMs();
    const names = new Set(Object.keys(taken.headers));
    // Drawn at arrival: answers that overtake each other do not change who fails.
    const planned = plannedStatus(plan, chance());
    const judgement = await judge(taken, names, secrets);
    await pause(delayMs, stop.signal);
    if (stop.signal.aborted) return null;
    const isRefused = isStrict && judgement.kind !== "verified";
    const status = isRefused ? 401 : planned;
    const id = taken.headers["webhook-id"];
    const received = describe(taken, { atMs, judgement, status, isRepeated: id !== undefined && seen.has(id) });
    if (id !== undefined) remember(seen, id);
    counts.requests += 1;
    if (judgement.kind === "verified") counts.verified += 1;
    if (status < 200 || status > 299) counts.failed += 1;
    if (received.isRepeated) counts.repeated += 1;
    show(io, options, received, taken, told);
    const isLast = counts.requests === endAfter;
    return { status, text: answerText(status, isRefused), ...(isLast ? { sent: stop.end } : {}) };
  };
}

function remember(seen: Set<string>, id: string): void {
  seen.add(id);
  if (seen.size <= MAX_SEEN) return;
  for (const oldest of seen) {
    seen.delete(oldest);
    return;
  }
}

function answerText(status: number, isRefused: boolean): string {
  if (isRefused) return "posthorn receive: the signature does not fit.\n";
  return status >= 200 && status <= 299 ? "ok\n" : "posthorn receive: fails on demand.\n";
}

/** @param told reasons that were explained already: once is enough */
function show(
  io: Io,
  { showsBodies, isOwnSecret }: ReceiveOptions,
  received: Received,
  taken: Taken,
  told: Set<string>,
): void {
  const body = showsBodies ? taken.body.toString("utf8") : null;
  if (io.isJson) return io.jsonLine(body === null ? received : { ...received, body });
  const { judgement } = received;
  const reason = judgement.kind === "refused" ? `${judgement.reason} ${judgement.profile}` : null;
  for (const line of receivedLines(io, received, reason === null || !told.has(reason))) io.say(line);
  if (reason !== null && !told.has(reason)) {
    told.add(reason);
    if (isOwnSecret && reason.startsWith("SIGNATURE_MISMATCH")) {
      const hint = "This receiver made up a secret of its own: give the webhook's by --secret-file or WEBHOOK_SECRET.";
      for (const line of below(io, hint)) io.say(io.paint("dim", line));
    }
  }
  if (body !== null) for (const line of body.split("\n")) io.say(`  ${clean(line)}`);
}

const nameOf = (server: LocalServer): string => `posthorn receive, ${hostname()} ${server.target}`;

/** @returns the id of the webhook made for it */
async function subscribe(
  io: Io,
  { types, secrets }: ReceiveOptions,
  posthorn: Posthorn,
  server: LocalServer,
): Promise<string> {
  const name = nameOf(server);
  // Of a run that was killed: with the name and the address of this one it can be nobody else's.
  for await (const left of posthorn.webhooks.list({ name })) {
    if (left.url !== server.url) continue;
    await posthorn.webhooks.delete(left.id);
    io.note(`A webhook that an earlier run left behind is deleted: ${left.id}`);
  }
  const webhook = await posthorn.webhooks.create({
    name,
    url: server.url,
    events: types,
    secret: secrets[0] as string,
  });
  for (const warning of webhook.warnings ?? []) io.note(`${warning.field}: ${warning.message}`);
  return webhook.id;
}

async function unsubscribe(io: Io, posthorn: Posthorn, webhookId: string): Promise<void> {
  try {
    await posthorn.webhooks.delete(webhookId);
    io.note(`The webhook ${webhookId} is deleted.`);
  } catch (error) {
    // The end goes on: the port must be free again whatever happens.
    io.warn(`The webhook ${webhookId} could not be deleted: ${(error as Error).message}`);
    io.warn(`Do it by hand: posthorn webhooks delete ${webhookId}`);
  }
}

function greet(io: Io, options: ReceiveOptions, server: LocalServer, webhookId: string | null): void {
  const { url, target } = server;
  if (io.isJson) return io.jsonLine({ kind: "listening", url, allowTargets: target, webhookId });
  io.note(`Listening at ${io.paintNote("bold", url)}. Ctrl-C ends it.`);
  if (webhookId !== null) {
    io.note(
      `Subscribed to ${options.types.join(", ")} as ${webhookId}. Try it: posthorn trigger ${exampleOf(options.types)}`,
    );
    return io.note("");
  }
  io.note(`The server must be allowed to reach it: POSTHORN_ALLOW_TARGETS=${target}`);
  io.note("Subscribe it:");
  io.note(`  posthorn webhooks create --to ${url} --events 'invoice.*' ${secretArgument(options)}`);
  io.note("");
}

/** A secret of its own works at once; one that was given is not repeated. */
function secretArgument({ isOwnSecret, secrets }: ReceiveOptions): string {
  return isOwnSecret ? `--secret ${secrets[0]}` : "--secret-file FILE";
}

/** A type that exists, where a pattern is no type. */
function exampleOf(types: readonly string[]): string {
  return types.find((type) => !type.includes("*")) ?? "invoice.paid";
}

function endText({ requests, verified, failed, repeated }: Counts): string {
  if (requests === 0) return "No request came.";
  const more = [`${verified} verified`, `${failed} answered as failures`, `${repeated} seen before`];
  return `${requests} ${requests === 1 ? "request" : "requests"}: ${more.join(", ")}.`;
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
