// The routes by which a person acts on a webhook: hold its deliveries, let them go, try it. A test is no event and no
// delivery; nothing of it is stored.
import { formatId, parseId, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import type { z } from "zod";
import type { Catalogue } from "../../catalogue/catalogue.ts";
import { matchesPattern } from "../../catalogue/pattern.ts";
import type { OneRequests } from "../../deliver/one-request.ts";
import type { DeliverableEvent } from "../../deliver/queue.ts";
import { attemptWarning } from "../../manage/response-fields.ts";
import { templateFieldName } from "../../manage/transform.ts";
import type { StatusChanged, WebhookStatuses } from "../../manage/webhook-status.ts";
import type { Webhook } from "../../storage/configuration.ts";
import { asTenant } from "../../storage/pools.ts";
import { type Answer, type Failure, failure, fieldFailure, success } from "../answer.ts";
import type { Principal } from "../principal.ts";
import { selectEventTypes } from "../read/event-types.sql.ts";
import { shownRequest, testAnswer } from "../read/shown-request.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { webhookTestBody, webhookTestResult } from "../schemas/actions.ts";
import { changedWebhook } from "../schemas/webhook.ts";
import { actorOf } from "./webhooks.ts";

export type WebhookStatusesFace = Pick<WebhookStatuses, "pause" | "resume">;

/** What a test needs. */
export interface WebhookTestsFace {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly catalogue: Pick<Catalogue, "get" | "nearest">;
  readonly requests: Pick<OneRequests, "test">;
  /** The webhook as it is at this moment, deleted ones included. */
  readonly findWebhook: (tenantId: Principal["tenantId"], webhookUuid: string) => Promise<Webhook | null>;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** The time written in an event's id. */
  readonly timestampOfEvent: (eventIdBytes: Uint8Array) => string;
}

export function webhookActionRoutes(statuses: WebhookStatusesFace, tests: WebhookTestsFace): OrdinaryRoute[] {
  const changing = {
    method: "POST",
    scope: "write:webhooks",
    tag: "Webhooks",
    answer: { status: 200, data: changedWebhook, headers: ["ETag"] },
    errors: ["CONFLICT", "PRECONDITION_FAILED"],
    requestHeaders: ["If-Match"],
  } as const;
  return [
    route({
      ...changing,
      path: "/webhooks/{id}/pause",
      summary: "Hold a webhook's deliveries: events are routed and kept, nothing is sent until it is resumed.",
      handle: (call) =>
        withWebhook(call, async (uuid) => answerOf(await statuses.pause(actorOf(call), uuid, call.ifMatch))),
    }),
    route({
      ...changing,
      path: "/webhooks/{id}/resume",
      summary: "Let a paused webhook's deliveries go.",
      handle: (call) =>
        withWebhook(call, async (uuid) => answerOf(await statuses.resume(actorOf(call), uuid, call.ifMatch))),
    }),
    route({
      method: "POST",
      path: "/webhooks/{id}/test",
      scope: "write:webhooks",
      summary: "Send one real request now, paused or disabled as it may be, and see what comes back.",
      tag: "Webhooks",
      body: webhookTestBody,
      answer: { status: 200, data: webhookTestResult },
      errors: ["UNKNOWN_EVENT_TYPE", "CONFLICT", "OVERLOADED"],
      handle: (call) => withWebhook(call, (uuid) => test(tests, call, uuid)),
    }),
  ];
}

/** Runs something for the webhook that a path names. */
export async function withWebhook(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("webhook", call.params["id"] as string);
  return bytes === null ? noWebhook() : then(uuidFromBytes(bytes));
}

async function test(
  tests: WebhookTestsFace,
  call: Call<undefined, z.output<typeof webhookTestBody>>,
  uuid: string,
): Promise<Answer> {
  const { principal, body } = call;
  const webhook = await tests.findWebhook(principal.tenantId, uuid);
  if (webhook === null || webhook.status === "deleted" || webhook.livemode !== principal.livemode) return noWebhook();
  const payload = await payloadOf(tests, principal, webhook, body);
  if ("kind" in payload) return payload;
  const idBytes = tests.newId();
  const event: DeliverableEvent = {
    idBytes,
    publicId: formatId("event", idBytes),
    type: body.event,
    timestamp: tests.timestampOfEvent(idBytes),
    livemode: principal.livemode,
    retentionClass: principal.retentionClass,
    ...payload,
  };
  const subject = { webhook, event, deliveryBytes: tests.newId(), number: 1 };
  const tested = await tests.requests.test(subject, body.secret === "next");
  switch (tested.kind) {
    case "tested": {
      const { judged, request } = tested;
      const warnings = [...(request.warnings ?? []), ...(judged.warnings ?? [])].map(attemptWarning);
      return success({
        ...testAnswer(tested.outcome, tested.result),
        request: shownRequest(request),
        ...(judged.code === null || tested.result.kind !== "responded" ? {} : { decidedBy: judged.code }),
        ...(judged.extracted === null ? {} : { extracted: judged.extracted }),
        ...(warnings.length === 0 ? {} : { warnings }),
      });
    }
    case "not_rendered":
      return success({
        ...NOTHING_SENT,
        error: { code: tested.code, message: `${templateFieldName(tested.path, tested.field)}: ${tested.message}` },
      });
    case "no_next_secret":
      return failure("CONFLICT", "No new secret is waiting: POST /v1/webhooks/{id}/secret/rotate brings one.");
    case "busy":
      return { ...failure("OVERLOADED"), headers: { "retry-after": "1" } };
    default:
      return tested satisfies never;
  }
}

const NOTHING_SENT = {
  delivered: false,
  outcome: "not_sent",
  responseCode: null,
  responseTime: null,
  responseHeaders: null,
  responseBody: null,
  responseBodyEncoding: null,
  responseBodyTruncated: false,
  request: null,
};

/** What the test's event carries: what the person gave, or the example of the type. */
export async function payloadOf(
  tests: WebhookTestsFace,
  principal: Principal,
  webhook: Webhook,
  body: Pick<z.output<typeof webhookTestBody>, "event" | "testData">,
): Promise<{ data: Buffer; context: Buffer | null } | Failure> {
  const { tenantUuid } = principal;
  const types = await asTenant(tests.api, tenantUuid, (db) => selectEventTypes(db, tenantUuid));
  const registered = types.find((type) => type.name === body.event);
  const published = tests.catalogue.get(body.event);
  const isHeard = webhook.events.some((pattern) => pattern !== "*" && matchesPattern(pattern, body.event));
  const isKnown = registered !== undefined || published !== undefined || isHeard;
  if (!isKnown && principal.unknownEventTypes !== "open") {
    const nearest = tests.catalogue.nearest(body.event, 3);
    const hint = nearest.length > 0 ? ` Did you mean ${nearest.join(" or ")}?` : "";
    const message = `There is no event type ${JSON.stringify(body.event)}.${hint}`;
    return fieldFailure([{ field: "event", message, code: "UNKNOWN_EVENT_TYPE", nearest }]);
  }
  if (body.testData !== undefined) return { data: jsonBytes(body.testData), context: null };
  const example: unknown = registered?.example ?? published?.example;
  if (typeof example !== "object" || example === null || !("data" in example)) {
    const message = "This event type has no example. Give what should stand as `data`.";
    return fieldFailure([{ field: "testData", message, code: "MISSING_MEMBER" }]);
  }
  const context = "context" in example ? jsonBytes(example.context) : null;
  return { data: jsonBytes(example.data), context };
}

function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), "utf8");
}

function answerOf(outcome: StatusChanged): Answer {
  switch (outcome.kind) {
    case "changed":
      return { ...success(outcome.webhook), headers: { etag: outcome.etag } };
    case "absent":
      return noWebhook();
    case "stale":
      return { ...failure("PRECONDITION_FAILED"), headers: { etag: outcome.etag } };
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

/** The same words wherever a webhook is not found. */
export function noWebhook(): Answer {
  return failure(
    "NOT_FOUND",
    "There is no such webhook. Check the id; sandbox and live webhooks do not see each other.",
  );
}
