// The routes of bulk replays: start one, look at it, cancel it.
import { idFromUuid, parseId, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import { z } from "zod";
import { compileExpression } from "../../expressions/compile.ts";
import { goneDefinitions } from "../../manage/definition-uses.ts";
import { millisecondsOfUuid } from "../../lib/id-bounds.ts";
import { selectStatistics } from "../../manage/statistics.sql.ts";
import type { ReplayJobs } from "../../replay/jobs.ts";
import type { ReplayJobRow } from "../../replay/jobs.sql.ts";
import type { Webhook } from "../../storage/configuration.ts";
import { asTenant } from "../../storage/pools.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import type { Principal } from "../principal.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { replayToStart, replayView } from "../schemas/replay.ts";
import { actorOf } from "./webhooks.ts";

export interface ReplayJobsFace {
  readonly jobs: Pick<ReplayJobs, "start" | "get" | "list" | "cancel">;
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly findWebhook: (tenantId: Principal["tenantId"], webhookUuid: string) => Promise<Webhook | null>;
}

const listQuery = z.strictObject({ ...PAGE_PARAMETERS, webhookId: z.string().max(200).optional() });

export function replayJobRoutes(face: ReplayJobsFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/replays",
      scope: "write:deliveries",
      summary: "Start a bulk replay: the events of a time range to one webhook, worked off beside live traffic.",
      tag: "Deliveries",
      body: replayToStart,
      answer: { status: 202, data: replayView },
      errors: ["CONFLICT"],
      handle: (call) => start(face, call),
    }),
    route({
      method: "GET",
      path: "/replays",
      scope: "read:events",
      summary: "List bulk replays, newest first.",
      tag: "Deliveries",
      query: listQuery,
      answer: { status: 200, data: replayView, isList: true },
      handle: (call) => list(face, call),
    }),
    route({
      method: "GET",
      path: "/replays/{id}",
      scope: "read:events",
      summary: "Read one bulk replay and how far it has come.",
      tag: "Deliveries",
      answer: { status: 200, data: replayView },
      handle: (call) => withReplay(call, (uuid) => get(face, call, uuid)),
    }),
    route({
      method: "POST",
      path: "/replays/{id}/cancel",
      scope: "write:deliveries",
      summary:
        "Cancel a bulk replay. Deliveries that it has made stay: POST /v1/webhooks/{id}/cancel-pending ends those.",
      tag: "Deliveries",
      answer: { status: 200, data: replayView },
      errors: ["CONFLICT"],
      handle: (call) => withReplay(call, (uuid) => cancel(face, call, uuid)),
    }),
  ];
}

async function start(face: ReplayJobsFace, call: Call<undefined, z.output<typeof replayToStart>>): Promise<Answer> {
  const { webhookId, from, to, which = "owed", types, states, filter, dryRun = false } = call.body;
  const webhook = parseId("webhook", webhookId);
  if (webhook === null) return unknownWebhook();
  if (states !== undefined && which !== "owed") {
    const message = "Only `which: owed` goes by how deliveries ended. Leave it out.";
    return fieldFailure([{ field: "states", message, code: "INVALID_VALUE" }]);
  }
  if (filter !== undefined) {
    const compiled = compileExpression(filter);
    if (!compiled.ok) {
      const { code: reason, message, position } = compiled.error;
      return fieldFailure([{ field: "filter", message, code: "INVALID_EXPRESSION", reason, position }]);
    }
    const { tenantUuid } = call.principal;
    const gone = await asTenant(face.api, tenantUuid, (db) => goneDefinitions(db, tenantUuid, { filters: [filter] }));
    if (gone.length > 0) return fieldFailure(gone.map((detail) => ({ ...detail, field: "filter" })));
  }
  const outcome = await face.jobs.start(actorOf(call), {
    webhookUuid: uuidFromBytes(webhook),
    fromMs: from,
    toMs: to ?? null,
    which,
    types: types ?? null,
    states: states ?? null,
    filter: filter ?? null,
    dryRun,
  });
  switch (outcome.kind) {
    case "started":
      return success(jobView(outcome.job, null), 202);
    case "no_webhook":
      return unknownWebhook();
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

async function list(face: ReplayJobsFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const page = pageStart("replay", call.query);
  if (!page.ok) return page.failure;
  const webhook = call.query.webhookId === undefined ? undefined : parseId("webhook", call.query.webhookId);
  if (webhook === null) return unknownWebhook();
  const webhookUuid = webhook === undefined ? null : uuidFromBytes(webhook);
  const rows = await face.jobs.list(call.principal, webhookUuid, page.beforeUuid, page.limit + 1);
  return pageOf(
    "replay",
    rows,
    page.limit,
    (row) => row.id,
    (row) => jobView(row, null),
  );
}

async function get(face: ReplayJobsFace, call: Call, uuid: string): Promise<Answer> {
  const job = await face.jobs.get(call.principal, uuid);
  if (job === null) return noReplay();
  const isCounted = job.dry_run && job.state === "done";
  return success(jobView(job, isCounted ? await estimatedSeconds(face, call.principal, job) : null));
}

async function cancel(face: ReplayJobsFace, call: Call, uuid: string): Promise<Answer> {
  const outcome = await face.jobs.cancel(actorOf(call), uuid);
  switch (outcome.kind) {
    case "cancelled":
      return success(jobView(outcome.job, null));
    case "absent":
      return noReplay();
    case "ended":
      return failure("CONFLICT", `This replay is ${outcome.state}: only a running one can be cancelled.`);
    default:
      return outcome satisfies never;
  }
}

/** What an ordinary machine sends, when the receiver is quicker. */
const MOST_PER_SECOND = 2_000;
/** A receiver of which nothing is known. */
const USUAL_ANSWER_MS = 100;
const PERIOD_SECONDS = { second: 1, minute: 60, hour: 3_600 } as const;

/** As fast as the webhook's limits and its receiver's usual answers let them go. */
async function estimatedSeconds(face: ReplayJobsFace, principal: Principal, job: ReplayJobRow): Promise<number> {
  const { tenantUuid } = principal;
  const [figures] = await asTenant(face.api, tenantUuid, (db) => selectStatistics(db, tenantUuid, [job.webhook_id]));
  const webhook = await face.findWebhook(principal.tenantId, job.webhook_id);
  const answered = figures?.answered_count ?? 0;
  const answerMs = answered === 0 ? USUAL_ANSWER_MS : Math.max(1, (figures?.answered_duration_ms ?? 0) / answered);
  const byReceiver = ((webhook?.maxInFlight ?? 1) * 1_000) / answerMs;
  const limit = webhook?.rateLimit ?? null;
  const byLimit = limit === null ? MOST_PER_SECOND : limit.limit / PERIOD_SECONDS[limit.per];
  return Math.ceil(job.replayed_count / Math.min(byReceiver, byLimit, MOST_PER_SECOND));
}

function jobView(job: ReplayJobRow, estimate: number | null): Record<string, unknown> {
  const fromMs = millisecondsOfUuid(job.from_id);
  const toMs = millisecondsOfUuid(job.before_id);
  const positionMs = job.cursor_id === null ? null : millisecondsOfUuid(job.cursor_id);
  const share = positionMs === null ? 0 : (positionMs - fromMs) / Math.max(1, toMs - fromMs);
  const isoTime = (ms: number): string => new Date(ms).toISOString();
  return {
    id: idFromUuid("replay", job.id),
    webhookId: idFromUuid("webhook", job.webhook_id),
    state: job.state,
    dryRun: job.dry_run,
    which: job.which,
    from: isoTime(fromMs),
    to: isoTime(toMs),
    types: job.types,
    states: job.states,
    filter: job.filter,
    count: job.replayed_count,
    examined: job.examined_count,
    progress: job.state === "done" ? 1 : Number(Math.min(1, Math.max(0, share)).toFixed(4)),
    position: positionMs === null ? null : isoTime(positionMs),
    estimatedSeconds: estimate,
    problem: job.problem,
    createdBy: job.created_by,
    createdAt: job.created_at.toISOString(),
    finishedAt: job.finished_at?.toISOString() ?? null,
  };
}

async function withReplay(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("replay", call.params["id"] as string);
  return bytes === null ? noReplay() : then(uuidFromBytes(bytes));
}

function noReplay(): Answer {
  return failure("NOT_FOUND", "There is no such replay. Check the id; sandbox and live do not see each other.");
}

function unknownWebhook(): Answer {
  return fieldFailure([
    { field: "webhookId", message: "There is no such webhook in this mode.", code: "UNKNOWN_WEBHOOK" },
  ]);
}
