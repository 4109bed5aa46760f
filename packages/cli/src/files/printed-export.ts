// Webhooks as the API shows them, in the printed form. Must never leave out a field in silence: what the form cannot
// say is named, and then there is no printed form of that webhook.
import { authOf } from "./own-form.ts";
import type { PlaceholderNames } from "./placeholder-names.ts";
import { formatDuration, formatRate, type Rate } from "./printed-words.ts";
import { FILE_FIELDS, isDefault, type ShownWebhook } from "./webhook-shape.ts";

export type PrintedForm =
  | { readonly fits: true; readonly form: Record<string, unknown> }
  /** Fields, by their own names, with why. */
  | { readonly fits: false; readonly problems: readonly string[] };

/** Fields that the printed form knows, at least with some values. `secret` is given once and then not shown. */
const KNOWN = "name url method auth events transform filters retryPolicy timeout allowedIps rateLimit secret".split(
  " ",
);

/** The kinds that fit have these three members and no others. */
interface RetryPolicy {
  readonly maxRetries: number;
  readonly retryDelay: number;
  readonly backoffMultiplier: number;
}
const PRINTED_POLICY = ["maxRetries", "retryDelay", "backoffMultiplier"];

interface Transform {
  readonly template?: unknown;
  readonly contentType?: string | null;
}

/** @param webhook must have a name */
export function printedForm(webhook: ShownWebhook, names: PlaceholderNames): PrintedForm {
  const has = (field: string): boolean => !isDefault(field, webhook[field]);
  const problems = FILE_FIELDS.filter((field) => !KNOWN.includes(field) && has(field)).map(
    (field) => `${field} has no place in the printed form`,
  );
  const form: Record<string, unknown> = {
    "Webhook Name": webhook["name"],
    "Endpoint URL": webhook["url"],
    Method: webhook["method"] ?? "POST",
  };
  if (has("auth")) form["Authentication"] = authentication(webhook["auth"] as ShownWebhook, webhook, names);
  form["Event Triggers"] = webhook["events"];
  if (has("transform")) form["Payload Format"] = payloadFormat(webhook["transform"] as Transform, problems);
  if (has("filters")) form["Filters"] = webhook["filters"];
  const retryPolicy = retryPolicyOf(webhook, problems);
  if (retryPolicy !== null) form["Retry Policy"] = retryPolicy;
  if (has("allowedIps") || has("rateLimit")) form["Security Settings"] = securitySettings(webhook, problems);
  return problems.length === 0 ? { fits: true, form } : { fits: false, problems };
}

const AUTH_FORMS: Readonly<Record<string, (auth: ShownWebhook) => Record<string, unknown>>> = {
  apiKey: (auth) => ({ Type: "API Key", Header: auth["header"], Value: auth["value"] }),
  bearer: (auth) => ({ Type: "Bearer", Token: auth["token"] }),
  basic: (auth) => ({ Type: "Basic", Username: auth["username"], Password: auth["password"] }),
  oauth2: (auth) => ({ Type: "OAuth 2.0", Token: auth["accessToken"] }),
};

function authentication(auth: ShownWebhook, webhook: ShownWebhook, names: PlaceholderNames): Record<string, unknown> {
  const form = AUTH_FORMS[String(auth["type"])];
  if (form === undefined) throw new Error(`no printed form of the authentication ${String(auth["type"])}`);
  return form(authOf(auth, String(webhook["name"]), names));
}

function payloadFormat({ template, contentType }: Transform, problems: string[]): unknown {
  if (typeof template !== "object" || template === null || Array.isArray(template)) {
    problems.push("transform.template is not a map of names and values");
  }
  if (contentType !== undefined && contentType !== null && contentType !== "application/json") {
    problems.push(`transform.contentType is ${contentType}; the printed form is application/json`);
  }
  return template;
}

function retryPolicyOf(webhook: ShownWebhook, problems: string[]): Record<string, unknown> | null {
  const form: Record<string, unknown> = {};
  const policy = webhook["retryPolicy"] as RetryPolicy | null | undefined;
  const further = Object.keys(policy ?? {}).filter((member) => !PRINTED_POLICY.includes(member));
  if (further.length > 0) {
    problems.push(`retryPolicy has ${further.join(", ")}`);
    return null;
  }
  if (policy !== null && policy !== undefined) {
    const backoff = { 1: "Fixed", 2: "Exponential" }[policy.backoffMultiplier];
    if (backoff === undefined) problems.push("retryPolicy.backoffMultiplier is neither 1 (Fixed) nor 2 (Exponential)");
    form["Max Attempts"] = policy.maxRetries + 1;
    form["Backoff"] = backoff;
    if (policy.retryDelay !== 5) form["Initial Delay"] = formatDuration(policy.retryDelay);
  }
  if (!isDefault("timeout", webhook["timeout"])) form["Timeout"] = formatDuration(webhook["timeout"] as number);
  return Object.keys(form).length === 0 ? null : form;
}

function securitySettings(webhook: ShownWebhook, problems: string[]): Record<string, unknown> {
  const form: Record<string, unknown> = { "SSL Verification": "Required" };
  if (!isDefault("allowedIps", webhook["allowedIps"])) form["IP Whitelist"] = webhook["allowedIps"];
  const rate = webhook["rateLimit"] as (Rate & { burst?: number }) | null | undefined;
  if (rate === null || rate === undefined) return form;
  if ((rate.burst ?? 0) !== 0) problems.push("rateLimit.burst is not 0");
  form["Rate Limit"] = formatRate(rate);
  return form;
}
