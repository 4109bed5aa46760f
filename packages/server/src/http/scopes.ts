// What an API key may be allowed to do: the closed list of scopes and the one rule that reads it.
// Must never let an unknown scope mean anything.

/** Scopes by name; the text says what a key with it can do, for documents and the console. */
export const SCOPES = {
  "write:events": "Publish events.",
  "read:events": "Read events, deliveries and attempts.",
  "read:webhooks": "Read webhooks and their versions; signing secrets are never shown.",
  "write:webhooks": "Create, change and delete webhooks.",
  "write:deliveries": "Retry deliveries and replay events.",
  admin: "Everything, for the key's own tenant and mode.",
  operator: "Make, read and change the tenants of this installation, nothing inside of them; see its nodes.",
} as const satisfies Record<string, string>;

export type Scope = keyof typeof SCOPES;

export const SCOPE_NAMES = Object.keys(SCOPES) as [Scope, ...Scope[]];

/** True when a key with these scopes may do what `required` names; `admin` implies all but `operator`. */
export function hasScope(scopes: readonly string[], required: Scope): boolean {
  return scopes.includes(required) || (required !== "operator" && scopes.includes("admin"));
}
