// The fields of a webhook that a file carries, in the order in which a person reads them, and what may be left out.
// Figures, ids and times are no part of it: what one installation exports another one applies.

/** A webhook as the API shows it. */
export type ShownWebhook = Readonly<Record<string, unknown>>;

/** By their published names. `secret` is never shown and has a place of its own. */
export const FILE_FIELDS = (
  "name description url events active method headers secret auth signature scope conditions conditionLogic filters " +
  "format transform perEvent batchSettings coalesce onImport orderingKey onPoison priority rateLimit maxInFlight timeout retryPolicy " +
  "expireAfter expireWarning checkAfter successWhen onResponse allowedIps tls pinVersion privacy metadata"
).split(" ");

/** What a webhook has that says nothing about the field; a test holds this against a real server. */
const DEFAULTS: ShownWebhook = {
  active: true,
  conditionLogic: "AND",
  method: "POST",
  format: "bigledger",
  timeout: 15,
  maxInFlight: 64,
  onPoison: "park",
  expireWarning: 0.8,
  priority: "normal",
  auth: { type: "none" },
  onImport: "each",
  signature: { profiles: ["bigledger", "standard"] },
};

/** True where the field can be left out of a file without changing what it means. */
export function isDefault(field: string, value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value === "object" && Object.keys(value).length === 0) return true;
  return Object.hasOwn(DEFAULTS, field) && JSON.stringify(DEFAULTS[field]) === JSON.stringify(value);
}

/** Members of `auth` that the server masks, with what they are called in the name of a placeholder. */
export const AUTH_SECRETS: Readonly<Record<string, { member: string; suffix: string; meaning: string }>> = {
  apiKey: { member: "value", suffix: "API_KEY", meaning: "API key" },
  bearer: { member: "token", suffix: "TOKEN", meaning: "bearer token" },
  basic: { member: "password", suffix: "PASSWORD", meaning: "password" },
  oauth2: { member: "accessToken", suffix: "OAUTH_TOKEN", meaning: "OAuth token" },
};

/** Basic authentication without a password: its user name is an API key. */
export const KEY_AS_USER = { member: "username", suffix: "API_KEY", meaning: "API key" } as const;

/** What stands in an answer where a secret is stored; sent back it means: as it is. */
export const MASK = "********";
