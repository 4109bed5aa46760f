// What applying a file would change, field by field, as a person may read it. Pure; must never show a secret: values
// are taken from the views, where they are masked.
import { isDeepStrictEqual } from "node:util";
import { type ErrorDetail, type Id, idFromUuid } from "@posthorn/contract";
import { MASK } from "../lib/masking.ts";
import type { ConfigurationWarning } from "./transform.ts";
import type { ChangedSecrets } from "./apply-secrets.ts";
import { applyFields } from "./webhook-configuration.ts";
import { type WebhookChange, type WebhookToApply, webhookChange } from "./webhook-fields.ts";
import { webhookView } from "./webhook-view.ts";
import type { WebhookRow } from "./webhooks.sql.ts";

export type FieldChanges = Record<string, { readonly from: unknown; readonly to: unknown }>;

export interface PlannedWebhook {
  /** Null only for a webhook without a name that is to be deleted. */
  readonly name: string | null;
  readonly action: "create" | "update" | "unchanged" | "delete";
  /** Absent for one that is still to be created. */
  readonly id?: Id<"webhook">;
  readonly changes: FieldChanges;
  /** What is allowed and probably not meant. */
  readonly warnings: readonly ConfigurationWarning[];
}

const FIELDS = Object.keys(webhookChange.shape) as (keyof WebhookChange)[];

/**
 * A webhook of a file as a change of one that exists: what the file leaves out gets its default. Two things stay as
 * they are, because they are no configuration: the signing secret, and whether the webhook is active, so that a file
 * applied every night does not wake a webhook that its receiver has sent away (410).
 */
export function declaredFields(fields: WebhookToApply): WebhookChange {
  const declared: Record<string, unknown> = {};
  for (const field of FIELDS) declared[field] = fields[field] ?? null;
  for (const kept of ["secret", "active"] as const) if (declared[kept] === null) delete declared[kept];
  return declared as WebhookChange;
}

/** What the change would make of a webhook, as seen from outside. */
export function changesOf(before: WebhookRow, after: WebhookRow, secretsChanged: ChangedSecrets): FieldChanges {
  const [from, to] = [membersOf(before), membersOf(after)];
  const changes: FieldChanges = {};
  for (const field of FIELDS) {
    if (
      field === "secret" ||
      (sameValue(field, from[field], to[field]) && !(secretsChanged as ReadonlySet<string>).has(field))
    )
      continue;
    changes[field] = { from: from[field], to: to[field] };
  }
  if (secretsChanged.has("secret")) changes["secret"] = { from: MASK, to: MASK };
  return changes;
}

/** A new webhook's fields, defaults left out. */
export function creationOf(fields: WebhookToApply): FieldChanges {
  const view = membersOf(newRow(fields));
  const changes: FieldChanges = {};
  for (const field of FIELDS) {
    const given = fields[field];
    if (field !== "secret" && given !== undefined && given !== null) changes[field] = { from: null, to: view[field] };
  }
  if (fields.secret) changes["secret"] = { from: null, to: MASK };
  return changes;
}

/** A name that stands twice in a file would be two wishes for one webhook. */
export function repeatedNames(webhooks: readonly WebhookToApply[]): ErrorDetail[] {
  const first = new Map<string, number>();
  return webhooks.flatMap(({ name }, index) => {
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, index);
      return [];
    }
    const message = `${JSON.stringify(name)} is the name of webhooks[${earlier}] already. Give each webhook its own name.`;
    return [{ field: `webhooks[${index}].name`, message, code: "DUPLICATE_NAME" }];
  });
}

/** Names that several existing webhooks bear: which of them the file means cannot be told. */
export function ambiguousNames(webhooks: readonly WebhookToApply[], existing: readonly WebhookRow[]): ErrorDetail[] {
  const byName = new Map<string | undefined, Id<"webhook">[]>();
  for (const row of existing) {
    const { name } = row.configuration;
    const others = byName.get(name);
    if (others === undefined) byName.set(name, [idFromUuid("webhook", row.id)]);
    else others.push(idFromUuid("webhook", row.id));
  }
  return webhooks.flatMap(({ name }, index) => {
    const ids = byName.get(name) ?? [];
    if (ids.length < 2) return [];
    const message = `${ids.length} webhooks are called ${JSON.stringify(name)}: ${ids.slice(0, 5).join(", ")}. Rename or delete all but one.`;
    return [{ field: `webhooks[${index}].name`, message, code: "AMBIGUOUS_NAME", ids }];
  });
}

/** The details of one webhook of a file, with its place in the list. */
export function placed(details: readonly ErrorDetail[], index: number): ErrorDetail[] {
  return details.map((detail) => {
    const inside = detail.field === undefined || detail.field === "" ? "" : `.${detail.field}`;
    return { ...detail, field: `webhooks[${index}]${inside}` };
  });
}

/** A row as it would be, for the view of a webhook that does not exist yet. */
function newRow(fields: WebhookToApply): WebhookRow {
  const never = new Date(0);
  return {
    id: "00000000-0000-7000-8000-000000000000",
    created_at: never,
    updated_at: never,
    config_version: 0,
    version: 1,
    livemode: true,
    status: fields.active === false ? "disabled" : "enabled",
    disabled_reason: fields.active === false ? "owner" : null,
    configuration: applyFields({}, fields),
  };
}

function membersOf(row: WebhookRow): Readonly<Record<string, unknown>> {
  return { ...webhookView(row) };
}

/** The order of members is a matter of the template alone: there it is the order in the body. */
function sameValue(field: string, a: unknown, b: unknown): boolean {
  return field === "transform" ? JSON.stringify(a) === JSON.stringify(b) : isDeepStrictEqual(a, b);
}
