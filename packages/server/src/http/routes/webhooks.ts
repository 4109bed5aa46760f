// The routes of webhooks: what they take, and how outcomes become answers. Deciding and storing is manage/webhooks.ts.
import { parseId, uuidFromBytes, uuidFromId } from "@posthorn/contract";
import { z } from "zod";
import type { Actor } from "../../manage/actor.ts";
import { WEBHOOK_FIELD_HINTS, webhookChange, webhookCreation } from "../../manage/webhook-fields.ts";
import type { Webhooks, Written } from "../../manage/webhooks.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { decodeCursor } from "../cursor.ts";
import { cursorFailure, PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import type { Principal } from "../principal.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { changedWebhook, createdWebhook, deletedWebhook, webhookRecord, webhookVersion } from "../schemas/webhook.ts";

const listQuery = z.strictObject({
  ...PAGE_PARAMETERS,
  status: z.enum(["enabled", "paused", "disabled"]).optional(),
  name: z.string().max(200).optional(),
});
const versionsQuery = z.strictObject(PAGE_PARAMETERS);

/** What can be wrong with the fields of a webhook, beside their shape. */
export const FIELD_ERRORS = ["UNKNOWN_EVENT_TYPE", "INVALID_EXPRESSION", "TARGET_REFUSED"] as const;

export type WebhooksFace = Pick<Webhooks, "create" | "change" | "remove" | "get" | "list" | "versions">;

/** What a webhook did not hear while it was disabled. */
export interface GapsFace {
  /** How many events it would hear of by its configuration of now; `isMore` when they are too many to be counted at once. */
  readonly countMissed: (
    tenantId: Principal["tenantId"],
    webhookUuid: string,
    fromMs: number,
    toMs: number,
  ) => Promise<{ readonly count: number; readonly isMore: boolean }>;
}

/** Other nodes may work by the old configuration for 2 s after the answer. */
const ENABLED_EVERYWHERE_MS = 3_000;

export function webhookRoutes(webhooks: WebhooksFace, gaps: GapsFace): OrdinaryRoute[] {
  const create = async (call: Call<undefined, z.output<typeof webhookCreation>>): Promise<Answer> =>
    answerOf(await webhooks.create(actorOf(call), call.body), 201);
  const change = (call: Call<undefined, z.output<typeof webhookChange>>): Promise<Answer> =>
    withWebhook(call, async (uuid) =>
      answerOf(
        await withGap(gaps, call.principal, uuid, await webhooks.change(actorOf(call), uuid, call.body, call.ifMatch)),
        200,
      ),
    );
  const creation = {
    scope: "write:webhooks",
    tag: "Webhooks",
    body: webhookCreation,
    hints: WEBHOOK_FIELD_HINTS,
    answer: { status: 201, data: createdWebhook, headers: ["ETag", "Location"] },
    errors: FIELD_ERRORS,
    handle: create,
  } as const;
  const changing = {
    scope: "write:webhooks",
    tag: "Webhooks",
    body: webhookChange,
    hints: WEBHOOK_FIELD_HINTS,
    answer: { status: 200, data: changedWebhook, headers: ["ETag"] },
    errors: [...FIELD_ERRORS, "PRECONDITION_FAILED"],
    requestHeaders: ["If-Match"],
    handle: change,
  } as const;
  return [
    route({ method: "POST", path: "/webhooks", summary: "Create a webhook.", ...creation }),
    route({ method: "POST", path: "/webhooks/subscribe", summary: "Create a webhook.", ...creation }),
    route({
      method: "GET",
      path: "/webhooks",
      allowsReadKey: true,
      scope: "read:webhooks",
      summary: "List webhooks, newest first.",
      tag: "Webhooks",
      query: listQuery,
      answer: { status: 200, data: webhookRecord, isList: true },
      handle: (call) => list(webhooks, call),
    }),
    route({
      method: "GET",
      path: "/webhooks/{id}",
      allowsReadKey: true,
      scope: "read:webhooks",
      summary: "Read one webhook and its figures.",
      tag: "Webhooks",
      answer: { status: 200, data: webhookRecord, headers: ["ETag"] },
      handle: (call) => withWebhook(call, (uuid) => get(webhooks, call, uuid)),
    }),
    route({ method: "PUT", path: "/webhooks/{id}", summary: "Replace the fields given; the rest stay.", ...changing }),
    route({ method: "PATCH", path: "/webhooks/{id}", summary: "The same as PUT.", ...changing }),
    route({
      method: "DELETE",
      path: "/webhooks/{id}",
      scope: "write:webhooks",
      summary: "Delete a webhook; what it has not delivered yet is cancelled.",
      tag: "Webhooks",
      answer: { status: 200, data: deletedWebhook },
      errors: ["PRECONDITION_FAILED"],
      requestHeaders: ["If-Match"],
      handle: (call) => withWebhook(call, (uuid) => remove(webhooks, call, uuid)),
    }),
    route({
      method: "GET",
      path: "/webhooks/{id}/versions",
      allowsReadKey: true,
      scope: "read:webhooks",
      summary: "List what a webhook's configuration was, newest first.",
      tag: "Webhooks",
      query: versionsQuery,
      answer: { status: 200, data: webhookVersion, isList: true },
      handle: (call) => withWebhook(call, (uuid) => versions(webhooks, call, uuid)),
    }),
  ];
}

/** The key of a request as the one who acts. */
export function actorOf(call: Pick<Call, "principal" | "requestId">): Actor {
  const { tenantUuid, livemode, keyId, unknownEventTypes }: Principal = call.principal;
  return { tenantUuid, livemode, keyId, unknownEventTypes, requestId: call.requestId };
}

/** The webhook of the path; to a webhook's own read key all others look absent. */
export async function withWebhook(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("webhook", call.params["id"] as string);
  if (bytes === null) return noWebhook();
  const uuid = uuidFromBytes(bytes);
  const { webhookUuid } = call.principal;
  return webhookUuid === null || webhookUuid === uuid ? then(uuid) : noWebhook();
}

async function list(webhooks: WebhooksFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const start = pageStart("webhook", call.query);
  if (!start.ok) return start.failure;
  const filter = {
    beforeUuid: start.beforeUuid,
    status: call.query.status ?? null,
    name: call.query.name ?? null,
    webhookUuid: call.principal.webhookUuid,
  };
  const found = await webhooks.list(actorOf(call), filter, start.limit + 1);
  return pageOf(
    "webhook",
    found,
    start.limit,
    (webhook) => uuidFromId("webhook", webhook.id),
    (webhook) => webhook,
  );
}

async function get(webhooks: WebhooksFace, call: Call, uuid: string): Promise<Answer> {
  const found = await webhooks.get(actorOf(call), uuid);
  return found === null ? noWebhook() : { ...success(found.webhook), headers: { etag: found.etag } };
}

async function remove(webhooks: WebhooksFace, call: Call, uuid: string): Promise<Answer> {
  const outcome = await webhooks.remove(actorOf(call), uuid, call.ifMatch);
  if (outcome.kind === "deleted") return success({ id: call.params["id"], deleted: true });
  return refusalOf(outcome);
}

async function versions(
  webhooks: WebhooksFace,
  call: Call<z.output<typeof versionsQuery>>,
  uuid: string,
): Promise<Answer> {
  const key = call.query.cursor === undefined ? String(2 ** 31 - 1) : decodeCursor("version", call.query.cursor);
  if (key === null || !/^[0-9]{1,10}$/.test(key) || Number(key) >= 2 ** 31) return cursorFailure();
  const limit = call.query.limit ?? 50;
  const found = await webhooks.versions(actorOf(call), uuid, Number(key), limit + 1);
  if (found === null) return noWebhook();
  return pageOf(
    "version",
    found,
    limit,
    (version) => String(version["version"]),
    (version) => version,
  );
}

/** A webhook that was disabled and is not any more: what it missed, and how it gets exactly that. */
async function withGap(gaps: GapsFace, principal: Principal, uuid: string, outcome: Written): Promise<Written> {
  if (outcome.kind !== "written" || outcome.disabledSinceMs === undefined) return outcome;
  const fromMs = outcome.disabledSinceMs;
  const toMs = Date.parse(outcome.webhook.updatedAt) + ENABLED_EVERYWHERE_MS;
  const { count, isMore } = await gaps.countMissed(principal.tenantId, uuid, fromMs, toMs);
  const from = new Date(fromMs).toISOString();
  const to = new Date(toMs).toISOString();
  const replay = { webhookId: outcome.webhook.id, which: "missed" as const, from, to };
  return { ...outcome, webhook: { ...outcome.webhook, missed: { count, isMore, from, to, replay } } };
}

function answerOf(outcome: Written, status: 200 | 201): Answer {
  switch (outcome.kind) {
    case "written": {
      const data = outcome.secret === null ? outcome.webhook : { ...outcome.webhook, ...outcome.secret };
      const location = status === 201 ? { location: `/v1/webhooks/${outcome.webhook.id}` } : {};
      return { ...success(data, status), headers: { etag: outcome.etag, ...location } };
    }
    case "invalid":
      return fieldFailure(outcome.details);
    case "absent":
    case "stale":
      return refusalOf(outcome);
    default:
      return outcome satisfies never;
  }
}

function refusalOf(outcome: { kind: "absent" } | { kind: "stale"; etag: string }): Answer {
  if (outcome.kind === "absent") return noWebhook();
  return { ...failure("PRECONDITION_FAILED"), headers: { etag: outcome.etag } };
}

export function noWebhook(): Answer {
  return failure(
    "NOT_FOUND",
    "There is no such webhook. Check the id; sandbox and live webhooks do not see each other.",
  );
}
