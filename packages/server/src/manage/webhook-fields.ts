// The fields of a webhook as the published API names them: their schemas, what is not built yet, what is read only.
// Defaults are not filled in here: an absent field means the default of the program that reads it.
import { z } from "zod";

/** Everything in reach of a keyboard and more, but no control characters and no half surrogate pairs. */
const ONE_LINE = /^[^\p{Cc}\p{Cs}]*$/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks and tabs are the ones allowed
const TEXT = /^(?:[\t\n\r]|[^\p{Cc}\p{Cs}])*$/u;

export const MAX_EVENTS = 100;
export const MAX_FILTERS = 50;

const retryPolicy = z.strictObject({
  maxRetries: z.int().min(0).max(100).optional(),
  retryDelay: z.number().min(0).max(604_800).optional(),
  backoffMultiplier: z.number().min(1).max(10).optional(),
});

const optionalFields = {
  name: z.string().min(1).max(200).regex(ONE_LINE, "Use printable characters").nullable().optional(),
  description: z.string().max(2_000).regex(TEXT, "Use printable characters").nullable().optional(),
  active: z.boolean().nullable().optional(),
  method: z.enum(["POST", "PUT", "PATCH"]).nullable().optional(),
  headers: z.record(z.string(), z.string()).nullable().optional(),
  secret: z.string().nullable().optional(),
  timeout: z.int().min(1).max(30).nullable().optional(),
  retryPolicy: retryPolicy.nullable().optional(),
  maxInFlight: z.int().min(1).max(10_000).nullable().optional(),
  filters: z.array(z.string().min(1)).max(MAX_FILTERS).nullable().optional(),
};
const url = z.string().min(1);
const events = z.array(z.string()).min(1, "Name at least one event type").max(MAX_EVENTS);

/** Body of a creation. `null` is the same as leaving a field out. */
export const webhookCreation = z.strictObject({ url, events, ...optionalFields });
/** Body of a change: fields given are replaced as a whole, the rest stay, `null` restores the default. */
export const webhookChange = z.strictObject({ url: url.optional(), events: events.optional(), ...optionalFields });

export type WebhookCreation = z.output<typeof webhookCreation>;
export type WebhookChange = z.output<typeof webhookChange>;

const setByPosthorn = "It is set by Posthorn. Leave it out.";

/** For the validation of bodies: fields that the contract knows and that cannot be written (yet). */
export const WEBHOOK_FIELD_HINTS = {
  notYet: (
    "signature auth conditions conditionLogic scope format transform batchSettings coalesce orderingKey onPoison " +
    "priority rateLimit expireAfter successWhen onResponse allowedIps tls pinVersion privacy metadata"
  ).split(" "),
  /** A list of expressions works; the map form is still to come. */
  notYetAsObject: ["filters"],
  readOnly: {
    id: setByPosthorn,
    status: "Set `active` to true or false instead.",
    disabledReason: setByPosthorn,
    livemode: "It follows the API key: a sandbox key makes sandbox webhooks.",
    version: "It counts changes. To guard against a lost update send it as If-Match, in the form of the ETag.",
    createdAt: setByPosthorn,
    updatedAt: setByPosthorn,
    statistics: setByPosthorn,
    standardWebhooksSecret: "Give `secret` instead.",
  },
} as const;
