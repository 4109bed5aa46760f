// The route that shows what would happen to an event at a webhook: which filters pass and why, and the request that
// would be sent. It decides with the very parts that route and deliver use; nothing is sent, stored or decrypted.
import { formatId, parseId, uuidFromBytes } from "@posthorn/contract";
import type { FieldTags } from "../../catalogue/field-tags.ts";
import { matchesPattern } from "../../catalogue/pattern.ts";
import { type BatchIdentity, newBatch } from "../../deliver/gather/batch-body.ts";
import { gatherPlanOf } from "../../deliver/gather/plan.ts";
import { batchNames } from "../../deliver/request.ts";
import type { Bodies } from "../../deliver/render.ts";
import type { Body } from "../../deliver/renderer.ts";
import type { DeliverableEvent } from "../../deliver/queue.ts";
import type { Definitions } from "../../expressions/definitions.ts";
import { filterSourcesOf } from "../../expressions/dialects.ts";
import { explainFilter } from "../../expressions/explain.ts";
import { parsePayload } from "../../expressions/payload.ts";
import { type ResourceNames, scopeOfEvent } from "../../expressions/scope-of-event.ts";
import { missingValueWarning, templateFieldName } from "../../manage/transform.ts";
import { EventFacts, outOfScope } from "../../route/in-scope.ts";
import { RouteDecisions } from "../../route/routes.ts";
import type { WarningsOf } from "../../manage/warnings.ts";
import { applyFields, checkWithStored, type StoredConfiguration } from "../../manage/webhook-configuration.ts";
import { WEBHOOK_FIELD_HINTS } from "../../manage/webhook-fields.ts";
import type { Webhooks } from "../../manage/webhooks.ts";
import { type TenantConfiguration, type Webhook, webhookOfRow, WEBHOOK_DEFAULTS } from "../../storage/configuration.ts";
import { type Answer, type Failure, failure, fieldFailure, success } from "../answer.ts";
import type { Principal } from "../principal.ts";
import { bodyExcerpt } from "../read/body-excerpt.ts";
import { previewAnswer } from "../read/preview-answer.ts";
import { type PreviewEventSources, previewEvent } from "../read/preview-event.ts";
import { sentHeaders } from "../read/request-headers.ts";
import { taggedFieldWarnings } from "../read/tagged-fields.ts";
import { hasScope } from "../scopes.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { type PreviewBody, preview, previewBody } from "../schemas/preview.ts";
import { actorOf, FIELD_ERRORS } from "./webhooks.ts";

export interface PreviewFace extends PreviewEventSources {
  readonly webhooks: Pick<Webhooks, "check" | "configurationOf">;
  readonly bodies: Pick<Bodies, "bodyOf" | "batchBodyOf">;
  readonly namesOf: (eventType: string) => ResourceNames;
  readonly tagsOf: (eventType: string) => FieldTags;
  /** The tenant's rules and code tables, as this node knows them. */
  readonly definitionsOf: (tenantId: Principal["tenantId"]) => Promise<Definitions>;
  readonly warningsOf: WarningsOf;
  /** Organisation and routes, as routing knows them. */
  readonly tenantOf: (principal: Principal) => Promise<Pick<TenantConfiguration, "organisation" | "routes">>;
  readonly nowMs: () => number;
}

/** Of the body; a preview is for looking at. */
const SHOWN_BODY_BYTES = 256 * 1024;

export function previewRoutes(face: PreviewFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/preview",
      scope: "write:webhooks",
      summary: "See what a webhook would make of an event, without sending or storing anything.",
      tag: "Preview",
      body: previewBody,
      hints: PREVIEW_HINTS,
      answer: { status: 200, data: preview },
      errors: [...FIELD_ERRORS, "NOT_FOUND", "CONFLICT"],
      handle: (call) => show(face, call),
    }),
  ];
}

const within = (name: string): string => `webhook.${name}`;
/** What is said of the fields of a webhook, said of the webhook inside the body. */
const PREVIEW_HINTS = {
  notYet: WEBHOOK_FIELD_HINTS.notYet.map(within),
};

/** A webhook as far as a preview needs one: what it says, and whether it exists. */
interface Previewed {
  readonly configuration: StoredConfiguration;
  readonly status: string | null;
}

async function show(face: PreviewFace, call: Call<undefined, PreviewBody>): Promise<Answer> {
  const { principal, body, rawBody } = call;
  // A stored event is read only by those who may read it.
  if (body.event.event === undefined && body.event.id !== undefined && !hasScope(principal.scopes, "read:events")) {
    return failure("FORBIDDEN", "A stored event needs a key with the scope read:events as well.");
  }
  const previewed = await previewedWebhook(face, call);
  if ("kind" in previewed) return previewed;
  const { configuration, status } = previewed;
  const found = await previewEvent(face, principal, body.event, configuration.events, rawBody);
  if (!found.ok) return found.failure;
  const { event } = found;

  const exact = { exactNumbers: true };
  const definitions = await face.definitionsOf(principal.tenantId);
  const scope = scopeOfEvent(event, face.namesOf(event.type), definitions, (bytes) => parsePayload(bytes, exact));
  const filters = filterSourcesOf(configuration).map(({ field, source }) => ({
    field,
    ...explainFilter(source, scope),
  }));
  const typeMatches = configuration.events.some((pattern) => matchesPattern(pattern, event.type));
  const tenant = await face.tenantOf(principal);
  const webhookId = typeof body.webhook === "string" ? body.webhook : "";
  const decisions = new RouteDecisions(scope);
  const routes = tenant.routes.of(webhookId).map((each) => {
    const { webhooks, steps } = decisions.decisionOf(each);
    return { name: each.name, gives: webhooks.has(webhookId), steps };
  });
  const isGiven = routes.length === 0 || routes.some(({ gives }) => gives);
  const outside =
    configuration.scope === undefined
      ? null
      : outOfScope(configuration.scope, new EventFacts(event), tenant.organisation);
  const snapshot = snapshotOf(face, principal, configuration);
  const plan = gatherPlanOf(snapshot, { namesOf: face.namesOf, definitionsOf: () => definitions });
  const place = plan?.batchOf(event) ?? null;
  const batch = place === null ? null : newBatch(place.rules.kind, face.newId(), face.nowMs());
  const make = (made: DeliverableEvent): Body | Promise<Body> =>
    batch === null ? face.bodies.bodyOf(snapshot, made) : face.bodies.batchBodyOf(snapshot, batch, [made]);
  const rendered = await make(event);
  const missing = rendered.kind === "body" ? (rendered.warnings ?? []).map(missingValueWarning) : [];
  const webhook = snapshotOf(face, principal, configuration);
  const answered =
    body.response === undefined ? null : previewAnswer(webhook, body.response, face.newId(), face.nowMs());
  const tagged = await taggedFieldWarnings(event, configuration.privacy ?? {}, face.tagsOf(event.type), make);
  const warnings = [...face.warningsOf(configuration), ...missing, ...(answered?.warnings ?? []), ...tagged];
  return success({
    matched: typeMatches && outside === null && isGiven && filters.every(({ result }) => result === true),
    typeMatches,
    scope: configuration.scope === undefined ? null : { inScope: outside === null, reason: outside?.reason ?? null },
    ...(status === null ? {} : { status }),
    filters,
    routes,
    event: { id: event.publicId, event: event.type, timestamp: event.timestamp, livemode: event.livemode },
    batch: place === null ? null : { kind: place.rules.kind, key: place.value, sendsAtOnce: place.flushes },
    coalesceKey: plan !== null && plan.coalesce !== null ? plan.coalesceKeyOf(event) : null,
    ...requestView(face, configuration, event, batch, rendered),
    ...(answered === null ? {} : { answer: answered.answer }),
    ...(warnings.length === 0 ? {} : { warnings }),
  });
}

async function previewedWebhook(
  { webhooks }: PreviewFace,
  call: Call<undefined, PreviewBody>,
): Promise<Previewed | Failure> {
  const { webhook } = call.body;
  const actor = actorOf(call);
  if (typeof webhook === "string") {
    const bytes = parseId("webhook", webhook);
    const found = bytes === null ? null : await webhooks.configurationOf(actor, uuidFromBytes(bytes));
    if (found !== null) return found;
    return failure(
      "NOT_FOUND",
      "There is no such webhook. Check the id; sandbox and live webhooks do not see each other.",
    );
  }
  const details = [...(await webhooks.check(actor, webhook)), ...checkWithStored(webhook, {})];
  if (details.length > 0) {
    return fieldFailure(details.map((each) => ({ ...each, field: within(each.field ?? "") })));
  }
  return { configuration: applyFields({}, webhook), status: null };
}

/** What deliver renders for: a webhook that nobody else sees. */
function snapshotOf({ newId }: PreviewFace, principal: Principal, configuration: StoredConfiguration): Webhook {
  return webhookOfRow({
    tenant_id: principal.tenantUuid,
    id: uuidFromBytes(newId()),
    config_version: 0,
    version: 1,
    lane: 0,
    livemode: principal.livemode,
    status: "enabled",
    disabled_reason: null,
    configuration,
    secrets: null,
  });
}

function requestView(
  face: PreviewFace,
  configuration: StoredConfiguration,
  event: DeliverableEvent,
  batch: BatchIdentity | null,
  rendered: Body,
): Record<string, unknown> {
  if (rendered.kind === "failed") {
    const { field, path, code, message } = rendered;
    return { request: null, fault: { code, field: templateFieldName(path, field), message } };
  }
  const { bytes, parts } = rendered;
  const names =
    batch === null
      ? { publicEventId: event.publicId, eventType: event.type, deliveryId: formatId("delivery", face.newId()) }
      : batchNames(batch);
  const headers = sentHeaders(configuration, { ...names, number: 1, startedAtMs: face.nowMs() }, parts);
  const bodyTruncated = bytes.length > SHOWN_BODY_BYTES;
  return {
    request: {
      method: parts?.method ?? configuration.method ?? WEBHOOK_DEFAULTS.method,
      url: parts?.url ?? configuration.url,
      headers,
      contentType: headers["content-type"] ?? null,
      body: bodyExcerpt(bytes.subarray(0, SHOWN_BODY_BYTES), bodyTruncated).body,
      bodyLength: bytes.length,
      bodyTruncated,
    },
  };
}
