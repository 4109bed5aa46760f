// The fields of a webhook as the published API names them: their schemas, what is not built yet, what is read only.
// Defaults are not filled in here: an absent field means the default of the program that reads it.
import { z } from "zod";
import { allowedIpsField, authField, RECEIVER_FIELD_HINTS, signatureField } from "./receiver-fields.ts";
import { PRIORITIES } from "../storage/priority.ts";
import { batchSettingsField, coalesceField, onImportField } from "./batch-fields.ts";
import { conditionLogicField, conditionsField, filtersField } from "./filter-fields.ts";
import { onResponseField, successWhenField } from "./response-fields.ts";
import { formatField, methodField, perEventField } from "./format-fields.ts";
import { privacyField } from "./privacy-fields.ts";
import { checkAfterField, expireAfterField, expireWarningField, retryPolicyField } from "./retry-fields.ts";
import { scopeField } from "./scope-fields.ts";
import { transformField } from "./transform.ts";
import { described } from "./webhook-field-texts.ts";

/** Everything in reach of a keyboard and more, but no control characters and no half surrogate pairs. */
const ONE_LINE = /^[^\p{Cc}\p{Cs}]*$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks and tabs are the ones allowed
const TEXT = /^(?:[\t\n\r]|[^\p{Cc}\p{Cs}])*$/u;

export const MAX_EVENTS = 100;
export const MAX_METADATA = 50;

const rateLimit = z.strictObject({
  limit: z.int().min(1).max(1_000_000),
  per: z.enum(["second", "minute", "hour"]),
  burst: z.int().min(0).max(1_000_000).optional(),
});

/** What its owner wants to remember: kept and shown, read by nobody else. */
const metadata = z
  .record(z.string().min(1).max(40).regex(ONE_LINE, "Use printable characters"), z.string().max(500).regex(TEXT))
  .refine((members) => Object.keys(members).length <= MAX_METADATA, `At most ${MAX_METADATA} members`);

const optionalFields = {
  name: z.string().min(1).max(200).regex(ONE_LINE, "Use printable characters").nullable().optional(),
  description: z.string().max(2_000).regex(TEXT, "Use printable characters").nullable().optional(),
  active: z.boolean().nullable().optional(),
  method: methodField.nullable().optional(),
  headers: z.record(z.string(), z.string()).nullable().optional(),
  secret: z.string().nullable().optional(),
  timeout: z.int().min(1).max(30).nullable().optional(),
  retryPolicy: retryPolicyField.nullable().optional(),
  expireAfter: expireAfterField.nullable().optional(),
  expireWarning: expireWarningField.nullable().optional(),
  checkAfter: checkAfterField.nullable().optional(),
  maxInFlight: z.int().min(1).max(10_000).nullable().optional(),
  orderingKey: z
    .union([z.literal(true), z.string().min(1)])
    .nullable()
    .optional(),
  onPoison: z.enum(["park", "skip"]).nullable().optional(),
  priority: z.enum(PRIORITIES).nullable().optional(),
  rateLimit: rateLimit.nullable().optional(),
  metadata: metadata.nullable().optional(),
  filters: filtersField.nullable().optional(),
  conditions: conditionsField.nullable().optional(),
  conditionLogic: conditionLogicField.nullable().optional(),
  format: formatField.nullable().optional(),
  scope: scopeField.nullable().optional(),
  transform: transformField.nullable().optional(),
  perEvent: perEventField.nullable().optional(),
  successWhen: successWhenField.nullable().optional(),
  onResponse: onResponseField.nullable().optional(),
  auth: authField.nullable().optional(),
  signature: signatureField.nullable().optional(),
  allowedIps: allowedIpsField.nullable().optional(),
  privacy: privacyField.nullable().optional(),
  batchSettings: batchSettingsField.nullable().optional(),
  coalesce: coalesceField.nullable().optional(),
  onImport: onImportField.nullable().optional(),
};
const url = z.string().min(1);
const events = z.array(z.string()).min(1, "Name at least one event type").max(MAX_EVENTS);

const EXAMPLE = {
  name: "Paid invoices to the warehouse",
  url: "https://receiver.example.com/webhooks",
  events: ["invoice.paid"],
  filters: ["invoice.total > 100"],
};

/** Body of a creation. `null` is the same as leaving a field out. */
export const webhookCreation = z
  .strictObject(described({ url, events, ...optionalFields }))
  .meta({ id: "WebhookToCreate", description: "A webhook to create.", examples: [EXAMPLE] });
/** Body of a change: fields given are replaced as a whole, the rest stay, `null` restores the default. */
export const webhookChange = z
  .strictObject(described({ url: url.optional(), events: events.optional(), ...optionalFields }))
  .meta({
    id: "WebhookChange",
    description: "Fields given are replaced as a whole, the rest stay, `null` restores the default.",
    examples: [{ events: ["invoice.*"], timeout: 20 }],
  });

/** A webhook of a file that is applied; its name says which one is meant. */
export const webhookToApply = z
  .strictObject(described({ url, events, ...optionalFields, name: optionalFields.name.unwrap().unwrap() }))
  .meta({ id: "WebhookToApply", description: "A webhook as a file says it should be; left out means the default." });

export type WebhookToApply = z.output<typeof webhookToApply>;
export type WebhookCreation = z.output<typeof webhookCreation>;
export type WebhookChange = z.output<typeof webhookChange>;

const setByPosthorn = "It is set by Posthorn. Leave it out.";

/** For the validation of bodies: fields that the contract knows and that cannot be written (yet). */
export const WEBHOOK_FIELD_HINTS = {
  notYet: [..."tls pinVersion".split(" "), ...RECEIVER_FIELD_HINTS.notYet],
  notYetValues: RECEIVER_FIELD_HINTS.notYetValues,
  readOnly: {
    id: setByPosthorn,
    status: "Set `active` to true or false instead.",
    disabledReason: setByPosthorn,
    livemode: "It follows the API key: a sandbox key makes sandbox webhooks.",
    version: "It counts changes. To guard against a lost update send it as If-Match, in the form of the ETag.",
    createdAt: setByPosthorn,
    updatedAt: setByPosthorn,
    statistics: setByPosthorn,
    health: setByPosthorn,
    secretRotation: "See POST /v1/webhooks/{id}/secret/rotate.",
    standardWebhooksSecret: "Give `secret` instead.",
  },
} as const;
