// Webhooks: the fields that are written, and what the API shows. Names are those of the published API, everywhere.

import type { SignatureProfile } from "@posthorn/contract";
import type { BulkResult, ShownRequest } from "./delivery.ts";
import type { Time } from "./event.ts";

export type WebhookStatus = "enabled" | "paused" | "disabled";

/** Seconds, or a text such as `90s`, `30m`, `72h` or `3d`; shown as seconds. */
export type Duration = number | string;

export type Weekday = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";

/** Every week; past midnight when `to` is not after `from`. */
export interface WeeklyWindow {
  /** All seven when left out. */
  readonly days?: readonly Weekday[];
  /** `HH:MM` on the time zone's clock. */
  readonly from: string;
  readonly to: string;
}

/** When attempts may start. */
export interface RetryCalendar {
  /** An IANA name: `Asia/Kuala_Lumpur`. */
  readonly timeZone: string;
  readonly businessHours?: readonly WeeklyWindow[];
  /** Weekly, or once from one ISO 8601 time to another. */
  readonly maintenanceWindows?: readonly (WeeklyWindow | { readonly from: string; readonly to: string })[];
}

export interface RetryPolicy {
  /** Exponential unless given; `standard` is the default schedule, with rules beside it. */
  readonly backoff?: "exponential" | "linear" | "standard";
  /** Requests in all are one more. */
  readonly maxRetries?: number;
  /** Before the first retry. */
  readonly retryDelay?: Duration;
  readonly backoffMultiplier?: number;
  /** By which a linear pause grows; `retryDelay` unless given. */
  readonly increment?: Duration;
  /** Every pause by itself, in the place of a backoff. */
  readonly delays?: readonly Duration[];
  readonly maxDelay?: Duration;
  /** Share by which a pause is lengthened or shortened: 0.25 is up to a quarter. */
  readonly jitter?: number;
  /** No retry of the policy comes later than this after the delivery's creation. */
  readonly maxAge?: Duration;
  /** Statuses (`422`) and classes of them (`4xx`) that are not retried. */
  readonly failFastStatuses?: readonly (number | string)[];
  readonly calendar?: RetryCalendar;
}

/** How requests prove themselves to the receiver; secret members are shown masked, and a mask sent back keeps them. */
export type WebhookAuth =
  | { readonly type: "none" }
  | { readonly type: "apiKey"; readonly header: string; readonly value: string }
  | { readonly type: "bearer"; readonly token: string }
  /** With an empty password the user name is an API key, and masked in its place. */
  | { readonly type: "basic"; readonly username: string; readonly password: string }
  | { readonly type: "oauth2"; readonly accessToken: string };

/** What follows an answer; the first rule whose `when` is true and that has a `then` decides. */
export interface ResponseRule {
  /** An expression over `response.status`, `response.headers` (lower-case names) and `response.body`. */
  readonly when: string;
  /** Left out: the rule only extracts. */
  readonly then?: "delivered" | "retry" | "dead_letter" | "pause" | "disable";
  /** Of `retry`: a length of time, or an expression that gives seconds. */
  readonly after?: Duration;
  /** Values to keep, by name; `externalId` can be searched for. */
  readonly extract?: Readonly<Record<string, string>>;
}

/** A part of the organisation; a list that is left out restricts nothing. */
export interface WebhookScope {
  readonly companies?: readonly string[];
  /** With their locations. */
  readonly branches?: readonly string[];
  readonly locations?: readonly string[];
  /** Who did it: any of the lists is enough. */
  readonly actors?: {
    readonly users?: readonly string[];
    readonly employees?: readonly string[];
    readonly departments?: readonly string[];
    readonly teams?: readonly string[];
  };
  readonly sources?: readonly string[];
}

export interface RateLimit {
  readonly limit: number;
  readonly per: "second" | "minute" | "hour";
  /** Requests above the limit that may come at once; 0 unless given. */
  readonly burst?: number;
}

export interface Transform {
  /** Mostly an object: keys to `{{ expression }}`, text, or nested objects and arrays. */
  readonly template: unknown;
  readonly contentType?: string;
}

/**
 * What a body is made of where there is no template: the envelope, CloudEvents 1.0 (structured or binary), type, time and
 * ids alone, the payload alone, or nothing.
 */
export type WebhookFormat = "bigledger" | "cloudEvents" | "cloudEventsBinary" | "thin" | "data" | "none";

export type WebhookMethod = "POST" | "PUT" | "PATCH" | "DELETE";

/** What is another for the events of one type or pattern. */
export interface PerEvent {
  readonly method?: WebhookMethod;
  /** Behind the host it may hold `{{ expressions }}`. */
  readonly url?: string;
  /** Beside the webhook's own; values may hold `{{ expressions }}`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Either of the two says what the body is. */
  readonly format?: WebhookFormat;
  readonly transform?: Transform;
}

/** Taken out of what is sent, or its value replaced: texts by `***`, anything else by `null`. */
export type Redaction = "drop" | "mask";

/** What of an event does not leave the company. */
export interface WebhookPrivacy {
  /** Fields that tell who a person is, or how to reach one. */
  readonly personal?: Redaction;
  /** What somebody is paid. */
  readonly salary?: Redaction;
  /** What something costs the company. */
  readonly cost?: Redaction;
  /** Further fields, by their path inside the object: `customer.taxNumber`. */
  readonly fields?: Readonly<Record<string, Redaction>>;
}

/** Many events in one request. */
export interface BatchSettings {
  /** True unless given; false keeps the numbers for imports alone. */
  readonly enabled?: boolean;
  /** 100 unless given. */
  readonly maxEvents?: number;
  /** Seconds that the oldest event waits; 30 unless given. */
  readonly maxWaitTime?: number;
  /** Event types and patterns: such an event sends its batch at once. */
  readonly flushOnEvent?: readonly string[];
  /** An expression: a batch holds events of one value. */
  readonly key?: string | null;
  /** What a template is filled for: each event (unless given), or the batch as a whole. */
  readonly per?: "event" | "batch";
}

/** Only the last state of each key is sent. */
export interface Coalesce {
  /** An expression, `customer.id`. */
  readonly key: string;
  /** Seconds without a newer state. */
  readonly window: number;
  /** Seconds after the first state that waits; ten windows unless given. */
  readonly maxWait?: number;
}

export type WebhookPriority = "high" | "normal" | "low";

type PlainValue = string | number | boolean | null;

/** Paths, each with the value or values that it may have, or a range. */
export type FilterMap = Readonly<
  Record<
    string,
    PlainValue | readonly PlainValue[] | { readonly min?: number | string; readonly max?: number | string }
  >
>;

export type ConditionLogic = "AND" | "OR";

export interface Comparison {
  /** A path: `invoice.items.sku`. */
  readonly field: string;
  readonly operator:
    | "eq"
    | "neq"
    | "gt"
    | "gte"
    | "lt"
    | "lte"
    | "in"
    | "nin"
    | "contains"
    | "notContains"
    | "startsWith"
    | "endsWith"
    | "exists"
    | "changed"
    | "changedTo"
    | "changedFrom";
  readonly value?: PlainValue | readonly PlainValue[];
}

export interface ConditionGroup {
  readonly conditions: readonly Condition[];
  /** "AND" unless given. */
  readonly conditionLogic?: ConditionLogic;
}

export type Condition = Comparison | ConditionGroup;

export type ImportMode = "each" | "batch" | "digest";

/** The optional fields; `null` restores the default. */
interface OptionalFields {
  readonly name?: string | null;
  readonly description?: string | null;
  readonly active?: boolean | null;
  readonly method?: WebhookMethod | null;
  readonly headers?: Readonly<Record<string, string>> | null;
  readonly secret?: string | null;
  readonly signature?: { readonly profiles: readonly SignatureProfile[] } | null;
  readonly auth?: WebhookAuth | null;
  /** Expressions that must all be true, or a map of paths to the values that they may have. */
  readonly filters?: readonly string[] | FilterMap | null;
  /** Beside `filters`: both must let an event pass. */
  readonly conditions?: readonly Condition[] | null;
  /** "AND" unless given. */
  readonly conditionLogic?: ConditionLogic | null;
  /** "bigledger" unless given: the published envelope. */
  readonly format?: WebhookFormat | null;
  /** Null: the whole organisation. */
  readonly scope?: WebhookScope | null;
  readonly transform?: Transform | null;
  /** By event type or pattern; an exact name goes before patterns, a longer pattern before a shorter. */
  readonly perEvent?: Readonly<Record<string, PerEvent>> | null;
  /** Which tagged fields of events are dropped or masked before anything is sent. */
  readonly privacy?: WebhookPrivacy | null;
  /** When an answer is a success, as an expression over `response`; any 2xx unless given. */
  readonly successWhen?: string | null;
  readonly onResponse?: readonly ResponseRule[] | null;
  readonly rateLimit?: RateLimit | null;
  readonly maxInFlight?: number | null;
  /** Deliveries with the same key go one after the other: an expression, or true for the sender's key. */
  readonly orderingKey?: string | true | null;
  /** An ordered delivery that used up its attempts: hold its key for a person, or make it a dead letter and go on. */
  readonly onPoison?: "park" | "skip" | null;
  /** Its weight beside the tenant's other webhooks when slots are scarce: 16, 4, 1. */
  readonly priority?: WebhookPriority | null;
  /** Seconds. */
  readonly timeout?: number | null;
  readonly retryPolicy?: RetryPolicy | null;
  /** After this a delivery is not attempted any more: it becomes a dead letter. */
  readonly expireAfter?: Duration | null;
  /** The share of `expireAfter` after which `delivery.expiring` is raised: 0.8 unless given; 1: never. */
  readonly expireWarning?: number | null;
  /** When nothing was sent for so long, a test request looks whether the receiver is there; 15 minutes to 30 days. */
  readonly checkAfter?: Duration | null;
  /** IPs and CIDRs of which the address dialled must be one. */
  readonly allowedIps?: readonly string[] | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly batchSettings?: BatchSettings | null;
  readonly coalesce?: Coalesce | null;
  /** What becomes of events whose `context.source` is `import`: "each" unless given. */
  readonly onImport?: ImportMode | null;
}

/** A webhook to create. */
export interface NewWebhook extends OptionalFields {
  readonly url: string;
  /** Event types and patterns: `invoice.paid`, `invoice.*`, `*`. */
  readonly events: readonly string[];
}

/** What a change replaces; fields that are left out stay. */
export interface WebhookChange extends OptionalFields {
  readonly url?: string;
  readonly events?: readonly string[];
}

/** A filter or template that can never fit a subscribed type, and the like. */
export interface Warning {
  readonly code: string;
  readonly field: string;
  readonly message: string;
}

export interface SecretRotation {
  readonly startedAt: string;
  /** From then on the old secret signs nothing. */
  readonly overlapEndsAt: string;
  /** Whether profiles with room for one signature use the new secret. */
  readonly switched: boolean;
}

export interface WebhookTotals {
  readonly totalDelivered: number;
  readonly totalFailed: number;
  readonly lastDelivery: string | null;
}

/** The fields that a version remembers, defaults filled in and secret values masked. */
export interface WebhookConfiguration {
  readonly name: string | null;
  readonly description: string | null;
  readonly url: string;
  readonly events: readonly string[];
  readonly method: WebhookMethod;
  readonly headers: Readonly<Record<string, string>>;
  /** As they were written. */
  readonly filters: readonly string[] | FilterMap;
  readonly conditions: readonly Condition[];
  readonly conditionLogic: ConditionLogic;
  /** Null: the whole organisation. */
  readonly scope: WebhookScope | null;
  readonly timeout: number;
  /** Null is the default schedule. */
  readonly retryPolicy: RetryPolicy | null;
  /** Seconds. */
  readonly expireAfter: number | null;
  readonly expireWarning: number;
  /** Seconds. */
  readonly checkAfter: number | null;
  readonly maxInFlight: number;
  /** Null: side by side. */
  readonly orderingKey: string | true | null;
  readonly onPoison: "park" | "skip";
  readonly priority: WebhookPriority;
  readonly rateLimit: RateLimit | null;
  readonly metadata: Readonly<Record<string, string>>;
  readonly format: WebhookFormat;
  /** Null: `format` says what bodies are. */
  readonly transform: Transform | null;
  /** Null: all requests alike. */
  readonly perEvent: Readonly<Record<string, PerEvent>> | null;
  /** Null: its receiver may see everything. */
  readonly privacy: WebhookPrivacy | null;
  /** Null: any 2xx is a success. */
  readonly successWhen: string | null;
  readonly onResponse: readonly ResponseRule[];
  readonly auth: WebhookAuth;
  readonly signature: { readonly profiles: readonly SignatureProfile[] };
  readonly allowedIps: readonly string[] | null;
  /** Null: each event in a request of its own. */
  readonly batchSettings: BatchSettings | null;
  /** Null: every state is sent. */
  readonly coalesce: Coalesce | null;
  readonly onImport: ImportMode;
}

export interface Webhook extends WebhookConfiguration {
  readonly id: string;
  readonly active: boolean;
  readonly status: WebhookStatus;
  /** Only while disabled. */
  readonly disabledReason?: string;
  readonly livemode: boolean;
  readonly version: number;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Two signing secrets in force; only while that is so. */
  readonly secretRotation?: SecretRotation;
  readonly statistics?: WebhookTotals;
  /** In what is read, not in the answers to changes. */
  readonly health?: WebhookHealth;
  /** Only on writes, and only when there are some. */
  readonly warnings?: readonly Warning[];
}

/** A webhook with the mark of its state, for `ifMatch`. The mark is not enumerable: it is no field of the API. */
export type TaggedWebhook = Webhook & { readonly etag: string };

/** What creation shows once. */
export interface ShownSecret {
  /** The signing secret; keep it now, it is not shown again. */
  readonly secret?: string;
  /** The same secret in the form that Standard Webhooks libraries take. */
  readonly standardWebhooksSecret?: string;
}

/** What a webhook did not hear while it was disabled. */
export interface MissedEvents {
  /** Events that it would hear of now and was never owed. */
  readonly count: number;
  /** They were too many to be counted at once: a dry run counts them. */
  readonly isMore: boolean;
  readonly from: string;
  readonly to: string;
  /** What `replays.start` takes to bring exactly these. */
  readonly replay: {
    readonly webhookId: string;
    readonly which: "missed";
    readonly from: string;
    readonly to: string;
  };
}

/** A webhook as a change left it. */
export type ChangedWebhook = Webhook & {
  /** Only when it was disabled and is not any more. */
  readonly missed?: MissedEvents;
};

export interface WebhookVersion {
  readonly version: number;
  readonly createdAt: string;
  readonly createdBy: string | null;
  readonly fromConfigVersion: number;
  readonly toConfigVersion: number | null;
  readonly configuration: WebhookConfiguration;
}

/** What all webhooks of a tenant and mode have done. */
export interface TenantStatistics {
  readonly totalDelivered: number;
  readonly totalFailed: number;
  /** Percent, two decimals; null before anything has ended. */
  readonly successRate: number | null;
  /** Delivered ÷ ended, from 0 to 1, cut after six decimals; null before anything has ended. */
  readonly deliveredRatio: number | null;
  readonly lastDelivery: string | null;
  /** Milliseconds. */
  readonly averageResponseTime: number | null;
}

export interface WebhookStatistics extends TenantStatistics {
  readonly recentDeliveries: readonly {
    readonly eventId: string;
    /** Null when the event is past its retention already. */
    readonly event: string | null;
    readonly deliveredAt: string | null;
    readonly responseCode: number | null;
    readonly responseTime: number | null;
  }[];
}

/** A delivery with its latest attempt. */
export interface WebhookLog {
  readonly id: string;
  readonly deliveryId: string;
  readonly eventId: string;
  /** Null when the event is past its retention already. */
  readonly event: string | null;
  readonly status: "success" | "failed" | "pending" | "cancelled";
  /** When it arrived; null while it has not. */
  readonly deliveredAt: string | null;
  readonly responseCode: number | null;
  /** Milliseconds. */
  readonly responseTime: number | null;
  /** The beginning of the answer. */
  readonly responseBody: string | null;
  /** Only when the answer is no text. */
  readonly responseBodyEncoding?: "base64";
  /** Attempts after the first. */
  readonly retryCount: number;
  readonly nextRetryAt: string | null;
  /** How the latest attempt went. */
  readonly outcome: string | null;
  readonly lastAttemptAt: string | null;
  /** Why it is held, dead or cancelled. */
  readonly reason: string | null;
}

/** Events received in `[from, to)` that the webhook was owed, oldest first. */
export interface WebhookReplay {
  readonly from: Time;
  readonly to?: Time;
  /** Event types and patterns; all when left out. */
  readonly types?: readonly string[];
  /** Only events whose delivery ended so. */
  readonly states?: readonly ("delivered" | "dead_letter" | "cancelled")[];
  /** At most so many events, up to 10,000; 1,000 when left out. */
  readonly limit?: number;
  /** `nextCursor` of the call before. */
  readonly cursor?: string;
  /** Counts and changes nothing. */
  readonly dryRun?: boolean;
}

export interface ReplayedWebhook extends BulkResult {
  readonly webhookId: string;
  readonly nextCursor: string | null;
}

/** What one real request, sent now and kept nowhere, brought back. */
export interface WebhookTestResult {
  readonly delivered: boolean;
  readonly outcome: string;
  readonly responseCode: number | null;
  readonly responseTime: number | null;
  readonly responseHeaders: Readonly<Record<string, string>> | null;
  readonly responseBody: string | null;
  readonly responseBodyEncoding: "utf8" | "base64" | null;
  readonly responseBodyTruncated: boolean;
  /** The rule that decided, such as `onResponse[0]`; only when one did. */
  readonly decidedBy?: string;
  /** What rules took out of the answer. */
  readonly extracted?: Readonly<Record<string, string>>;
  /** What was sent; the signatures are real. */
  readonly request: ShownRequest | null;
  /** Only when nothing came back. */
  readonly error?: { readonly code: string; readonly message: string };
  readonly warnings?: readonly Warning[];
}

/** What is known about the endpoint behind a webhook. */
export interface WebhookHealth {
  /** `unknown`: nothing was sent yet. `degraded`: some of it fails. */
  readonly status: "unknown" | "healthy" | "degraded" | "failing" | "unreachable";
  /** 0 to 100: about the share of the latest attempts that succeeded. */
  readonly score: number | null;
  readonly since: string | null;
  /** A sentence; null while it is healthy. */
  readonly reason: string | null;
  /** `open`: deliveries are held. `half_open`: one at a time. `ramping`: more and more. */
  readonly breaker: "closed" | "open" | "half_open" | "ramping";
  /** While deliveries are held: when one of them is tried. */
  readonly nextProbeAt: string | null;
  /** The first failure since the last success. */
  readonly failingSince: string | null;
  readonly lastSuccessAt: string | null;
  readonly lastFailureAt: string | null;
  /** When it is disabled, if it goes on failing until then. */
  readonly disablesAt: string | null;
  /** The receiver's certificate, as seen in handshakes. */
  readonly certificateExpiresAt: string | null;
}

export type DiagnosisStep = "webhook" | "dns" | "guard" | "connect" | "tls" | "credentials" | "request";

/** The way to a receiver, step by step, with a verdict. */
export interface Diagnosis {
  readonly verdict: {
    readonly status: "ok" | "warning" | "failed";
    /** The step that decides. */
    readonly step: DiagnosisStep;
    readonly message: string;
    /** The one thing to do; null when there is nothing. */
    readonly nextStep: string | null;
  };
  readonly steps: readonly {
    readonly step: DiagnosisStep;
    readonly status: "passed" | "warning" | "failed" | "skipped";
    readonly message: string;
    readonly durationMs: number | null;
  }[];
  /** The address dialled; null when none was, also where the guard refused it. */
  readonly address: string | null;
  readonly protocol: string | null;
  /** The receiver's chain, its own certificate first; empty without TLS. */
  readonly certificates: readonly {
    readonly subject: string;
    readonly issuer: string;
    readonly names: readonly string[];
    readonly validFrom: string;
    readonly expiresAt: string;
    readonly daysLeft: number;
  }[];
  /** The test request; null when none was sent. */
  readonly test: WebhookTestResult | null;
}

/** A webhook of a file: the name says which one. */
export interface NamedWebhook extends WebhookChange {
  readonly name: string;
}

/** What apply does, or would do, to one webhook; with its secret where one was made: it is shown this once. */
export interface PlannedWebhook extends ShownSecret {
  /** Null only for a webhook without a name that is deleted. */
  readonly name: string | null;
  readonly action: "create" | "update" | "unchanged" | "delete";
  readonly id?: string;
  readonly changes: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>>;
  readonly warnings: readonly Warning[];
}

export interface AppliedWebhooks {
  readonly plan: readonly PlannedWebhook[];
  /** False for a dry run. */
  readonly applied: boolean;
}
