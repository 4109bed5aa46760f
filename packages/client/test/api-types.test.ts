// The SDK's hand-written types, held against the schemas from which the server answers and the reference is made. The
// compiler does the checking (`npm run check -- types`): what a route shows and the SDK leaves out does not compile.
import type {
  ApiKey,
  Attempt,
  AuditEntry,
  BulkResult,
  CancelledDelivery,
  CodeTable,
  CodeTableVersion,
  Company,
  CreatedTenant,
  DeadLetter,
  DeliveryRecord,
  DeliveryRequest,
  Diagnosis,
  EventHead,
  EventRecord,
  EventTypeRecord,
  ListedDelivery,
  MissedEvents,
  MintedApiKey,
  OauthClient,
  OauthGrant,
  NewWebhook,
  PlannedWebhook,
  Preview,
  PublishedEvent,
  ReplayedEvent,
  ReplayedWebhook,
  RetriedDelivery,
  Rule,
  RuleVersion,
  Tenant,
  Warning,
  Webhook,
  WebhookChange,
  WebhookLog,
  TenantStatistics,
  WebhookStatistics,
  WebhookTestResult,
  WebhookVersion,
} from "@posthorn/client";
import { describe, expectTypeOf, test } from "vitest";
import type { z } from "zod";
import type { cancelledDelivery, deliveryRequest, webhookTestResult } from "../../server/src/http/schemas/actions.ts";
import type { apiKeyRecord, createdApiKey } from "../../server/src/http/schemas/api-key.ts";
import type { appliedPlan } from "../../server/src/http/schemas/apply.ts";
import type { oauthClientRecord, oauthGrantRecord } from "../../server/src/http/schemas/oauth.ts";
import type { auditEntry } from "../../server/src/http/schemas/audit.ts";
import type {
  codeTableRecord,
  codeTableVersion,
  ruleRecord,
  ruleVersion,
} from "../../server/src/http/schemas/definition.ts";
import type {
  attemptSchema,
  deliveryRecord,
  listedDelivery,
  retriedDelivery,
} from "../../server/src/http/schemas/delivery.ts";
import type { diagnosisRecord } from "../../server/src/http/schemas/diagnosis.ts";
import type { eventHead, eventRecord, publishedEvent, replayedEvent } from "../../server/src/http/schemas/event.ts";
import type { eventTypeRecord } from "../../server/src/http/schemas/event-type.ts";
import type { companyRecord, createdTenant, tenantRecord } from "../../server/src/http/schemas/tenant.ts";
import type {
  deadLetter,
  logEntry,
  replayedWebhook,
  retriedDeadLetters,
  tenantStatistics,
  webhookStatistics,
} from "../../server/src/http/schemas/log.ts";
import type { preview } from "../../server/src/http/schemas/preview.ts";
import type { configurationWarning } from "../../server/src/http/schemas/warning.ts";
import type {
  changedWebhook,
  createdWebhook,
  webhookRecord,
  webhookVersion,
} from "../../server/src/http/schemas/webhook.ts";
import type { webhookChange, webhookCreation } from "../../server/src/manage/webhook-fields.ts";

/** What a schema lets out, as JSON brings it over: read only, and absent where it may be undefined. */
type Shown<Schema extends z.ZodType> = Plain<z.output<Schema>>;
type Plain<Value> = Value extends readonly (infer Item)[]
  ? readonly Plain<Item>[]
  : Value extends object
    ? { readonly [Key in keyof Value]: Plain<Exclude<Value[Key], undefined>> }
    : Value;

/** Members that one of the two has and the other has not. */
type Difference<A, B> = Exclude<keyof A, keyof B> | Exclude<keyof B, keyof A>;

describe("what the API shows is what the SDK says", () => {
  test("of events", () => {
    expectTypeOf<Shown<typeof publishedEvent>>().toExtend<Omit<PublishedEvent, "replayed">>();
    expectTypeOf<Shown<typeof eventHead>>().toExtend<EventHead>();
    expectTypeOf<Difference<EventHead, Shown<typeof eventHead>>>().toBeNever();
    expectTypeOf<Shown<typeof eventRecord>>().toExtend<EventRecord>();
    expectTypeOf<Difference<EventRecord, Shown<typeof eventRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof replayedEvent>>().toExtend<ReplayedEvent>();
    expectTypeOf<Shown<typeof ruleRecord>>().toExtend<Rule>();
    expectTypeOf<Difference<Rule, Shown<typeof ruleRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof ruleVersion>>().toExtend<RuleVersion>();
    expectTypeOf<Shown<typeof codeTableRecord>>().toExtend<CodeTable>();
    expectTypeOf<Difference<CodeTable, Shown<typeof codeTableRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof codeTableVersion>>().toExtend<CodeTableVersion>();
    expectTypeOf<Shown<typeof eventTypeRecord>>().toExtend<EventTypeRecord>();
    expectTypeOf<Difference<EventTypeRecord, Shown<typeof eventTypeRecord>>>().toBeNever();
  });

  test("of deliveries", () => {
    expectTypeOf<Shown<typeof listedDelivery>>().toExtend<ListedDelivery>();
    expectTypeOf<Difference<ListedDelivery, Shown<typeof listedDelivery>>>().toBeNever();
    expectTypeOf<Shown<typeof deliveryRecord>>().toExtend<DeliveryRecord>();
    expectTypeOf<Difference<DeliveryRecord, Shown<typeof deliveryRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof attemptSchema>>().toExtend<Attempt>();
    expectTypeOf<Difference<Attempt, Shown<typeof attemptSchema>>>().toBeNever();
    expectTypeOf<Shown<typeof retriedDelivery>>().toExtend<RetriedDelivery>();
    expectTypeOf<Shown<typeof deadLetter>>().toExtend<DeadLetter>();
    expectTypeOf<Difference<DeadLetter, Shown<typeof deadLetter>>>().toBeNever();
    expectTypeOf<Shown<typeof retriedDeadLetters>>().toExtend<BulkResult>();
    expectTypeOf<Shown<typeof cancelledDelivery>>().toExtend<CancelledDelivery>();
    expectTypeOf<Shown<typeof deliveryRequest>>().toExtend<DeliveryRequest>();
    expectTypeOf<Difference<DeliveryRequest, Shown<typeof deliveryRequest>>>().toBeNever();
  });

  test("of webhooks", () => {
    expectTypeOf<Shown<typeof webhookRecord>>().toExtend<Webhook>();
    expectTypeOf<Difference<Webhook, Shown<typeof changedWebhook> & Shown<typeof webhookRecord>>>().toEqualTypeOf<
      "secret" | "standardWebhooksSecret" | "missed"
    >();
    expectTypeOf<NonNullable<Shown<typeof changedWebhook>["missed"]>>().toExtend<MissedEvents>();
    expectTypeOf<Shown<typeof createdWebhook>>().toExtend<Webhook>();
    expectTypeOf<Shown<typeof webhookVersion>>().toExtend<WebhookVersion>();
    expectTypeOf<Shown<typeof webhookTestResult>>().toExtend<WebhookTestResult>();
    expectTypeOf<Difference<WebhookTestResult, Shown<typeof webhookTestResult>>>().toBeNever();
    expectTypeOf<Shown<typeof diagnosisRecord>>().toExtend<Diagnosis>();
    expectTypeOf<Difference<Diagnosis, Shown<typeof diagnosisRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof appliedPlan>["plan"][number]>().toExtend<PlannedWebhook>();
    expectTypeOf<Shown<typeof configurationWarning>>().toExtend<Warning>();
    expectTypeOf<Shown<typeof tenantStatistics>>().toExtend<TenantStatistics>();
    expectTypeOf<Shown<typeof webhookStatistics>>().toExtend<WebhookStatistics>();
    expectTypeOf<Shown<typeof logEntry>>().toExtend<WebhookLog>();
    expectTypeOf<Difference<WebhookLog, Shown<typeof logEntry>>>().toBeNever();
    expectTypeOf<Shown<typeof replayedWebhook>>().toExtend<ReplayedWebhook>();
    expectTypeOf<Shown<typeof preview>>().toExtend<Preview>();
    expectTypeOf<Difference<Preview, Shown<typeof preview>>>().toBeNever();
  });

  test("of access", () => {
    expectTypeOf<Shown<typeof tenantRecord>>().toExtend<Tenant>();
    expectTypeOf<Difference<Tenant, Shown<typeof tenantRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof createdTenant>>().toExtend<CreatedTenant>();
    expectTypeOf<Shown<typeof companyRecord>>().toExtend<Company>();
    expectTypeOf<Shown<typeof apiKeyRecord>>().toExtend<ApiKey>();
    expectTypeOf<Difference<ApiKey, Shown<typeof apiKeyRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof createdApiKey>>().toExtend<MintedApiKey>();
    expectTypeOf<Shown<typeof oauthClientRecord>>().toExtend<OauthClient>();
    expectTypeOf<Difference<OauthClient, Shown<typeof oauthClientRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof oauthGrantRecord>>().toExtend<OauthGrant>();
    expectTypeOf<Difference<OauthGrant, Shown<typeof oauthGrantRecord>>>().toBeNever();
    expectTypeOf<Shown<typeof auditEntry>>().toExtend<AuditEntry>();
    expectTypeOf<Difference<AuditEntry, Shown<typeof auditEntry>>>().toBeNever();
  });
});

describe("what the API takes is what the SDK lets be written", () => {
  test("of webhooks", () => {
    expectTypeOf<Difference<NewWebhook, z.input<typeof webhookCreation>>>().toBeNever();
    expectTypeOf<Difference<WebhookChange, z.input<typeof webhookChange>>>().toBeNever();
  });
});
