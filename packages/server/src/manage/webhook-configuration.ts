// A webhook's configuration as it is stored: only what its owner said, in his order; absent means the default.
// The checks here are those that need more than one field or another module; must never name a secret in a message.
import type { ErrorDetail, SignatureProfile } from "@posthorn/contract";
import { checkPattern } from "../catalogue/pattern.ts";
import { type DefinitionNames, undefinedUses, usesIn } from "./definition-uses.ts";
import { compileExpression } from "../expressions/compile.ts";
import type { Condition, ConditionLogic, FilterMap } from "../expressions/dialects.ts";
import { isSecretHeader, MASK } from "../lib/masking.ts";
import { type AuthSetting, maskAuth } from "../security/receiver-auth.ts";
import type {
  BatchSetting,
  CoalesceSetting,
  ImportMode,
  PerEventSetting,
  RateLimitSetting,
  TransformSetting,
} from "../storage/configuration.ts";
import type { Format } from "../storage/formats.ts";
import type { ScopeSetting } from "../storage/organisation.ts";
import type { Priority } from "../storage/priority.ts";
import type { PrivacySetting } from "../storage/privacy.ts";
import type { ResponseRuleSetting } from "../storage/response-rules.ts";
import type { RetryPolicySetting } from "../storage/retry-setting.ts";
import { checkAllowedIps, checkAuth, checkSignature, checkTogether, unknownAuthMask } from "./receiver-fields.ts";
import {
  checkBatchSettings,
  checkCoalesce,
  type FieldChecks,
  withBatchDefaults,
  withCoalesceDefaults,
} from "./batch-fields.ts";
import { checkResponseRule, checkSuccessWhen, responseRulesOf } from "./response-fields.ts";
import {
  checkFormatTogether,
  checkHeaderTexts,
  checkPerEvent,
  checkUrlText,
  type FormatChecks,
} from "./format-fields.ts";
import { checkFilters } from "./filter-fields.ts";
import { checkRetryPolicy, retryPolicyOf } from "./retry-fields.ts";
import { checkTransform } from "./transform.ts";
import type { WarningsOf } from "./warnings.ts";
import type { WebhookChange } from "./webhook-fields.ts";
import { secretProblem } from "./webhook-secret.ts";

/** What webhook.configuration and webhook_version.configuration hold. */
export interface StoredConfiguration {
  readonly url: string;
  readonly events: readonly string[];
  readonly name?: string;
  readonly description?: string;
  readonly method?: string;
  /** Values of secret names are the mask, their texts in table `secret` (releases before that: in clear). */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeout?: number;
  readonly retryPolicy?: RetryPolicySetting;
  /** Seconds. */
  readonly expireAfter?: number;
  readonly expireWarning?: number;
  /** Seconds. */
  readonly checkAfter?: number;
  readonly maxInFlight?: number;
  readonly orderingKey?: string | true;
  readonly onPoison?: "park" | "skip";
  readonly priority?: Priority;
  readonly rateLimit?: RateLimitSetting;
  readonly metadata?: Readonly<Record<string, string>>;
  /** As they were written; expressions/dialects.ts says what they mean. */
  readonly filters?: readonly string[] | FilterMap;
  readonly conditions?: readonly Condition[];
  readonly conditionLogic?: ConditionLogic;
  /** Left out with `transform`, which then says what the body is. */
  readonly format?: Format;
  readonly scope?: ScopeSetting;
  readonly transform?: TransformSetting;
  readonly perEvent?: Readonly<Record<string, PerEventSetting>>;
  readonly privacy?: PrivacySetting;
  /** Its secret member is the mask; the text is in table `secret`. */
  readonly auth?: AuthSetting;
  readonly successWhen?: string;
  readonly onResponse?: readonly ResponseRuleSetting[];
  readonly signature?: { readonly profiles: readonly SignatureProfile[] };
  readonly allowedIps?: readonly string[];
  readonly batchSettings?: BatchSetting;
  readonly coalesce?: CoalesceSetting;
  readonly onImport?: ImportMode;
}

export interface ConfigurationRules {
  /** The address guard's judgement of a URL, with the operator's exceptions. */
  readonly checkUrl: (url: string) => { readonly ok: true } | { readonly ok: false; code: string; message: string };
  /** Names of the catalogue's event types. */
  readonly catalogueNames: () => Iterable<string>;
  /** What is allowed and probably not meant (manage/warnings.ts). */
  readonly warningsOf: WarningsOf;
}

/** What the tenant adds to the rules. */
export interface TenantRules {
  readonly registeredTypes: readonly string[];
  /** True when event types that nobody knows are accepted. */
  readonly unknownTypesAllowed: boolean;
  /** Its rules and code tables. */
  readonly definitions: DefinitionNames;
}

/** Everything wrong with the fields given, in the order of the fields. */
export function checkFields(fields: WebhookChange, rules: ConfigurationRules, tenant: TenantRules): ErrorDetail[] {
  const checks: FieldChecks & FormatChecks = {
    expression: checkExpression,
    fixedUrl: (url, field) => checkUrlField(url, field, rules),
    eventType: (pattern, field) => checkEvent(pattern, field, rules, tenant),
  };
  const problems = [
    ...(fields.url === undefined ? [] : checkUrlText(fields.url, "url", checks.fixedUrl)),
    ...(fields.events ?? []).flatMap((pattern, index) => checkEvent(pattern, `events[${index}]`, rules, tenant)),
    ...(fields.headers ? checkHeaderTexts(fields.headers) : []),
    ...(typeof fields.secret === "string" ? checkSecret(fields.secret) : []),
    ...(fields.retryPolicy ? checkRetryPolicy(fields.retryPolicy) : []),
    ...checkFilters(fields),
    ...(typeof fields.orderingKey === "string" ? checkExpression(fields.orderingKey, "orderingKey") : []),
    ...(fields.successWhen ? checkSuccessWhen(fields.successWhen) : []),
    ...(fields.onResponse ?? []).flatMap(checkResponseRule),
    ...(fields.transform ? checkTransform(fields.transform) : []),
    ...(fields.perEvent ? checkPerEvent(fields.perEvent, checks) : []),
    ...(fields.auth ? checkAuth(fields.auth) : []),
    ...(fields.signature ? checkSignature(fields.signature) : []),
    ...(fields.allowedIps ? checkAllowedIps(fields.allowedIps) : []),
    ...(fields.batchSettings ? checkBatchSettings(fields.batchSettings, checks) : []),
    ...(fields.coalesce ? checkCoalesce(fields.coalesce, checks) : []),
  ];
  // Of texts that are no expressions nobody can tell what they name.
  return problems.length > 0 ? problems : undefinedUses(usesIn(fields), tenant.definitions);
}

/**
 * The configuration after a change: fields given replace those stored, `null` removes them, the rest keep their place.
 * A mask stands for the value stored. Secret values become the mask here: their texts are kept by webhook-secrets.ts.
 */
export function applyFields(current: Partial<StoredConfiguration>, fields: WebhookChange): StoredConfiguration {
  const result: Record<string, unknown> = { ...current };
  // `active` is a status and `secret` has a table of its own: neither is part of the configuration.
  const { active: _active, secret: _secret, ...configured } = fields;
  for (const [field, value] of Object.entries(configured)) {
    if (value === undefined) continue;
    if (value === null) delete result[field];
    else result[field] = value;
  }
  if (fields.events !== undefined) result["events"] = [...new Set(fields.events)];
  if (fields.auth) result["auth"] = maskAuth(fields.auth);
  if (fields.auth?.type === "none") delete result["auth"];
  if (fields.headers) result["headers"] = storedHeaders(fields.headers, current.headers ?? {});
  if (fields.retryPolicy) result["retryPolicy"] = retryPolicyOf(fields.retryPolicy);
  if (fields.onResponse) result["onResponse"] = responseRulesOf(fields.onResponse);
  if (fields.rateLimit) result["rateLimit"] = { ...fields.rateLimit, burst: fields.rateLimit.burst ?? 0 };
  if (fields.batchSettings) result["batchSettings"] = withBatchDefaults(fields.batchSettings);
  if (fields.coalesce) result["coalesce"] = withCoalesceDefaults(fields.coalesce);
  return result as unknown as StoredConfiguration;
}

/** What is wrong with fields beside what is stored: masks that stand for nothing, and contradictions between fields. */
export function checkWithStored(fields: WebhookChange, current: Partial<StoredConfiguration>): ErrorDetail[] {
  const masks = [
    ...unknownSecretMask(fields, current),
    ...unknownMasks(fields, current),
    ...unknownAuthMask(fields.auth, current.auth),
  ];
  if (masks.length > 0) return masks;
  const together = applyFields(current, fields);
  return [...checkTogether(together), ...checkFormatTogether(together)];
}

/** Whatever is stored has a signing secret, and a new webhook has none. */
function unknownSecretMask({ secret }: WebhookChange, current: Partial<StoredConfiguration>): ErrorDetail[] {
  if (secret !== MASK || current.url !== undefined) return [];
  const message = `${MASK} stands for a secret that is stored, and this webhook is new. Give the secret itself, or leave it out to get a new one.`;
  return [{ field: "secret", message, code: "INVALID_VALUE" }];
}

/** Masked values for which nothing is stored: somebody sent back a mask under a new name. */
function unknownMasks(fields: WebhookChange, current: Partial<StoredConfiguration>): ErrorDetail[] {
  const stored = lowerCased(current.headers ?? {});
  return Object.entries(fields.headers ?? {})
    .filter(([name, value]) => value === MASK && !stored.has(name.toLowerCase()))
    .map(([name]) => {
      const message = `${MASK} stands for a value that is stored, and there is none for ${name}. Send the value itself.`;
      return { field: `headers.${name}`, message, code: "INVALID_VALUE" };
    });
}

/** Values sent back as a mask stay what they are (in clear, where an earlier release stored them so). */
function storedHeaders(
  given: Readonly<Record<string, string>>,
  stored: Readonly<Record<string, string>>,
): Record<string, string> {
  const byName = lowerCased(stored);
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      if (value === MASK) return [name, byName.get(name.toLowerCase()) ?? value];
      return [name, isSecretHeader(name) ? MASK : value];
    }),
  );
}

function lowerCased(headers: Readonly<Record<string, string>>): Map<string, string> {
  return new Map(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function checkUrlField(url: string, field: string, rules: ConfigurationRules): ErrorDetail[] {
  const check = rules.checkUrl(url);
  if (check.ok) return [];
  // The guard's own code says which rule it was; the answer's code is the table's.
  return [{ field, message: check.message, code: "TARGET_REFUSED", reason: check.code }];
}

function checkEvent(pattern: string, field: string, rules: ConfigurationRules, tenant: TenantRules): ErrorDetail[] {
  const check = checkPattern(pattern, [...rules.catalogueNames(), ...tenant.registeredTypes]);
  switch (check.kind) {
    case "valid":
      return [];
    case "malformed":
      return [{ field, message: check.problem, code: "INVALID_VALUE" }];
    case "unknown": {
      if (tenant.unknownTypesAllowed) return [];
      const hint = check.nearest.length > 0 ? ` Did you mean ${check.nearest.join(" or ")}?` : "";
      const message = `No event type matches ${JSON.stringify(pattern)}.${hint}`;
      return [{ field, message, code: "UNKNOWN_EVENT_TYPE", nearest: check.nearest }];
    }
    default:
      return check satisfies never;
  }
}

function checkSecret(secret: string): ErrorDetail[] {
  // The mask means the one that is stored: checkWithStored knows whether there is one.
  const problem = secret === MASK ? null : secretProblem(secret);
  return problem === null ? [] : [{ field: "secret", message: problem, code: "INVALID_VALUE" }];
}

function checkExpression(source: string, field: string): ErrorDetail[] {
  const compiled = compileExpression(source);
  if (compiled.ok) return [];
  const { code: reason, message, position, hint } = compiled.error;
  const text = hint === undefined ? message : `${message} ${hint}`;
  return [{ field, message: text, code: "INVALID_EXPRESSION", reason, position }];
}
