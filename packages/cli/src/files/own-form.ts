// Webhooks as the API shows them, in the own form: the field names of the API, defaults left out, secrets as
// placeholders. What it makes, applied, gives the same webhooks.
import type { Placeholder, PlaceholderNames } from "./placeholder-names.ts";
import { AUTH_SECRETS, FILE_FIELDS, isDefault, KEY_AS_USER, MASK, type ShownWebhook } from "./webhook-shape.ts";

/** Fields in their order; values may hold placeholders. */
export type OwnForm = Record<string, unknown>;

/** @param webhook must have a name */
export function ownForm(webhook: ShownWebhook, names: PlaceholderNames): OwnForm {
  const name = String(webhook["name"]);
  const form: OwnForm = {};
  for (const field of FILE_FIELDS) {
    if (field === "secret") form[field] = names.placeholder(name, "SECRET", "signing secret");
    else if (!isDefault(field, webhook[field])) form[field] = fieldValue(field, webhook[field], name, names);
  }
  return form;
}

function fieldValue(field: string, value: unknown, name: string, names: PlaceholderNames): unknown {
  if (field === "headers") return headersOf(value as Record<string, string>, name, names);
  if (field === "auth") return authOf(value as Record<string, unknown>, name, names);
  return value;
}

function headersOf(
  headers: Readonly<Record<string, string>>,
  name: string,
  names: PlaceholderNames,
): Record<string, string | Placeholder> {
  return Object.fromEntries(
    Object.entries(headers).map(([header, value]) => [
      header,
      value === MASK ? names.placeholder(name, `HEADER_${header}`, `header ${header}`) : value,
    ]),
  );
}

export function authOf(auth: ShownWebhook, name: string, names: PlaceholderNames): Record<string, unknown> {
  const isKeyAsUser = auth["type"] === "basic" && auth["password"] === "";
  const secret = isKeyAsUser ? KEY_AS_USER : AUTH_SECRETS[String(auth["type"])];
  if (secret === undefined) return { ...auth };
  return { ...auth, [secret.member]: names.placeholder(name, secret.suffix, secret.meaning) };
}
