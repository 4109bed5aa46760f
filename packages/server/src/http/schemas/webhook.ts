// Webhooks as the API shows them: the members of manage/webhook-view.ts, one by one. A member that is shown and not
// described here fails the test that calls every route.
import { SIGNATURE_ALGORITHMS, SIGNATURE_ENCODINGS, SIGNATURE_PROFILE_NAMES } from "@posthorn/contract";
import { z } from "zod";
import { RESPONSE_ACTIONS } from "../../storage/response-rules.ts";
import {
  CONDITION_LOGICS,
  CONDITION_OPERATORS,
  type ConditionLogic,
  type ConditionOperator,
  type PlainValue,
} from "../../expressions/dialects.ts";
import { WEEKDAYS } from "../../lib/calendar.ts";
import { described } from "../../manage/webhook-field-texts.ts";
import { IMPORT_MODES } from "../../storage/configuration.ts";
import { FORMATS, METHODS } from "../../storage/formats.ts";
import { PRIORITIES } from "../../storage/priority.ts";
import { eventTypeName, headerMap, idSchema, time } from "./common.ts";
import { warnings } from "./warning.ts";

const duration = z.number().min(0);
const weekly = z.object({ days: z.array(z.enum(WEEKDAYS)).optional(), from: z.string(), to: z.string() });

const retryPolicy = z
  .object({
    backoff: z.enum(["exponential", "linear", "standard"]).optional(),
    maxRetries: z.int().min(0).optional(),
    retryDelay: duration.meta({ description: "Seconds before the first retry." }).optional(),
    backoffMultiplier: z.number().min(1).optional(),
    increment: duration.meta({ description: "Seconds by which a linear pause grows." }).optional(),
    delays: z.array(duration).meta({ description: "Every pause by itself, in seconds." }).optional(),
    maxDelay: duration.optional(),
    jitter: z.number().meta({ description: "Share by which a pause is lengthened or shortened." }).optional(),
    maxAge: duration.meta({ description: "No retry of the policy comes later; seconds." }).optional(),
    failFastStatuses: z
      .array(z.union([z.int(), z.string()]))
      .meta({ description: "Statuses that are not retried." })
      .optional(),
    calendar: z
      .object({
        timeZone: z.string(),
        businessHours: z.array(weekly).optional(),
        maintenanceWindows: z.array(z.union([weekly, z.object({ from: time, to: time })])).optional(),
      })
      .meta({ description: "Attempts start only when it is open." })
      .optional(),
  })
  .meta({ description: "Defaults are filled in; members that do not belong to its kind are absent." });

const responseRule = z.object({
  when: z.string(),
  then: z.enum(RESPONSE_ACTIONS).optional(),
  after: z.union([z.number(), z.string()]).meta({ description: "Seconds, or an expression." }).optional(),
  extract: z.record(z.string(), z.string()).optional(),
});

const rateLimit = z.object({
  limit: z.int().min(1),
  per: z.enum(["second", "minute", "hour"]),
  burst: z.int().min(0).meta({ description: "Further requests that may come at once." }),
});

const transform = z.object({ template: z.unknown(), contentType: z.string() });

const perEvent = z.record(
  z.string(),
  z.object({
    method: z.enum(METHODS).optional(),
    url: z.string().optional(),
    headers: headerMap.optional(),
    format: z.enum(FORMATS).optional(),
    transform: z.object({ template: z.unknown(), contentType: z.string().optional() }).optional(),
  }),
);

const redacted = z.enum(["drop", "mask"]);
const privacy = z.object({
  personal: redacted.optional(),
  salary: redacted.optional(),
  cost: redacted.optional(),
  fields: z.record(z.string(), redacted).optional(),
});

const auth = z
  .discriminatedUnion("type", [
    z.object({ type: z.literal("none") }),
    z.object({ type: z.literal("apiKey"), header: z.string(), value: z.string() }),
    z.object({ type: z.literal("bearer"), token: z.string() }),
    z.object({ type: z.literal("basic"), username: z.string(), password: z.string() }),
    z.object({ type: z.literal("oauth2"), accessToken: z.string() }),
  ])
  .meta({ description: "The secret member shows as `********`; of `basic` without a password it is `username`." });

const signatureProfile = z.union([
  z.enum(SIGNATURE_PROFILE_NAMES),
  z.object({
    type: z.literal("header"),
    header: z.string(),
    algorithm: z.enum(SIGNATURE_ALGORITHMS),
    encoding: z.enum(SIGNATURE_ENCODINGS),
    prefix: z.string().optional(),
  }),
]);

const batchSettings = z.object({
  enabled: z.boolean(),
  maxEvents: z.int().min(1),
  maxWaitTime: z.number().meta({ description: "Seconds that the oldest event waits." }),
  flushOnEvent: z.array(eventTypeName).meta({ description: "Such an event sends its batch at once." }),
  key: z.string().nullable().meta({ description: "An expression: a batch holds events of one value." }),
  per: z.enum(["event", "batch"]).meta({ description: "What a template is filled for." }),
});

const coalesce = z.object({
  key: z.string().meta({ description: "An expression; an event for which it has no value goes by itself." }),
  window: z.number().meta({ description: "Seconds without a newer state." }),
  maxWait: z.number().meta({ description: "Seconds after the first state that waits." }),
});

const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);
const bound = z.union([z.string(), z.number()]);
const filters = z.union([
  z.array(z.string()),
  z.record(z.string(), z.union([plain, z.array(plain), z.object({ min: bound.optional(), max: bound.optional() })])),
]);

/** A comparison, or a group of conditions. */
type ShownCondition =
  | { field: string; operator: ConditionOperator; value?: PlainValue | readonly PlainValue[] }
  | { conditions: readonly ShownCondition[]; conditionLogic?: ConditionLogic };
const condition: z.ZodType = z.object({
  field: z.string().optional(),
  operator: z.enum(CONDITION_OPERATORS).optional(),
  value: z.union([plain, z.array(plain)]).optional(),
  conditions: z.array(z.unknown()).meta({ description: "Of a group: conditions and groups." }).optional(),
  conditionLogic: z.enum(CONDITION_LOGICS).optional(),
});

const names = z.array(z.string()).optional();
const scope = z.object({
  companies: names,
  branches: names,
  locations: names,
  actors: z.object({ users: names, employees: names, departments: names, teams: names }).optional(),
  sources: names,
});

/** The fields that a version remembers. */
const configured = described({
  name: z.string().nullable(),
  description: z.string().nullable(),
  url: z.string(),
  events: z.array(eventTypeName),
  method: z.enum(METHODS),
  headers: headerMap,
  filters,
  conditions: z.array(condition as z.ZodType<ShownCondition>),
  conditionLogic: z.enum(CONDITION_LOGICS),
  scope: scope.nullable(),
  timeout: z.int(),
  retryPolicy: retryPolicy.nullable(),
  expireAfter: z.number().nullable(),
  expireWarning: z.number(),
  checkAfter: z.number().nullable(),
  maxInFlight: z.int(),
  orderingKey: z.union([z.literal(true), z.string()]).nullable(),
  onPoison: z.enum(["park", "skip"]),
  priority: z.enum(PRIORITIES),
  rateLimit: rateLimit.nullable(),
  metadata: z.record(z.string(), z.string()),
  successWhen: z.string().nullable(),
  onResponse: z.array(responseRule),
  format: z.enum(FORMATS),
  transform: transform.nullable(),
  perEvent: perEvent.nullable(),
  privacy: privacy.nullable(),
  auth,
  signature: z.object({ profiles: z.array(signatureProfile) }),
  allowedIps: z.array(z.string()).nullable(),
  batchSettings: batchSettings.nullable(),
  coalesce: coalesce.nullable(),
  onImport: z.enum(IMPORT_MODES),
});

const secretRotation = z
  .object({
    startedAt: time,
    overlapEndsAt: time.meta({ description: "From then on the old secret signs nothing." }),
    switched: z.boolean().meta({ description: "Whether profiles with room for one signature use the new secret." }),
  })
  .meta({ id: "SecretRotation", description: "Two signing secrets in force; only while that is so." });

export const webhookStatus = z.enum(["enabled", "paused", "disabled"]);

const webhook = {
  id: idSchema("webhook"),
  ...configured,
  active: z.boolean(),
  status: webhookStatus,
  disabledReason: z
    .string()
    .meta({ description: "Only while disabled.", examples: ["owner", "endpoint_gone"] })
    .optional(),
  livemode: z.boolean(),
  version: z.int().min(1),
  createdAt: time,
  updatedAt: time,
  secretRotation: secretRotation.optional(),
};

const statistics = z
  .object({ totalDelivered: z.int().min(0), totalFailed: z.int().min(0), lastDelivery: time.nullable() })
  .meta({ id: "WebhookTotals", description: "What a webhook has done so far." });

const health = z
  .object({
    status: z
      .enum(["unknown", "healthy", "degraded", "failing", "unreachable"])
      .meta({ description: "`unknown`: nothing was sent yet. `degraded`: some of it fails." }),
    score: z
      .int()
      .min(0)
      .max(100)
      .nullable()
      .meta({ description: "About the share of the latest attempts that succeeded." }),
    since: time.nullable(),
    reason: z.string().nullable().meta({ description: "A sentence; null while it is healthy." }),
    breaker: z
      .enum(["closed", "open", "half_open", "ramping"])
      .meta({ description: "`open`: deliveries are held. `half_open`: one at a time. `ramping`: more and more." }),
    nextProbeAt: time.nullable().meta({ description: "While deliveries are held: when one of them is tried." }),
    failingSince: time.nullable().meta({ description: "The first failure since the last success." }),
    lastSuccessAt: time.nullable(),
    lastFailureAt: time.nullable(),
    disablesAt: time.nullable().meta({ description: "When it is disabled, if it goes on failing until then." }),
    certificateExpiresAt: time.nullable().meta({ description: "The receiver's, as seen in handshakes." }),
  })
  .meta({ id: "WebhookHealth", description: "What is known about the endpoint behind a webhook." });

export const webhookRecord = z
  .object({ ...webhook, statistics, health })
  .meta({ id: "Webhook", description: "A webhook with its figures." });

const secretOnce = {
  secret: z.string().meta({ description: "The signing secret. It is shown this once." }),
  standardWebhooksSecret: z.string().meta({ description: "The same, as libraries for Standard Webhooks take it." }),
};

export const createdWebhook = z
  .object({ ...webhook, statistics, health, ...secretOnce, warnings })
  .meta({ id: "CreatedWebhook", description: "A new webhook with its signing secret." });

export const changedWebhook = z
  .object({
    ...webhook,
    warnings,
    secret: secretOnce.secret.optional(),
    standardWebhooksSecret: secretOnce.standardWebhooksSecret.optional(),
    missed: z
      .object({
        count: z.int().min(0).meta({ description: "Events that it would hear of now and was never owed." }),
        isMore: z.boolean().meta({ description: "They were too many to be counted at once: a dry run counts them." }),
        from: time,
        to: time,
        replay: z
          .object({ webhookId: idSchema("webhook"), which: z.literal("missed"), from: time, to: time })
          .meta({ description: "The body for POST /v1/replays that brings exactly these." }),
      })
      .meta({ description: "Only when it was disabled and is not any more: the gap." })
      .optional(),
  })
  .meta({ id: "ChangedWebhook", description: "A webhook as it is now; with its secret when that was changed." });

export const rotatedWebhook = z
  .object({ ...webhook, ...secretOnce })
  .meta({ id: "RotatedWebhook", description: "A webhook with its new signing secret." });

export const deletedWebhook = z
  .object({ id: idSchema("webhook"), deleted: z.literal(true) })
  .meta({ id: "DeletedWebhook", description: "A webhook that is gone." });

export const webhookVersion = z
  .object({
    version: z.int().min(1),
    createdAt: time,
    createdBy: z.string().nullable().meta({ description: "The key or node that made the change." }),
    fromConfigVersion: z.int().min(0),
    toConfigVersion: z.int().min(0).nullable().meta({ description: "Null for the version in force." }),
    configuration: z.object(configured),
  })
  .meta({ id: "WebhookVersion", description: "What a webhook's configuration was." });
