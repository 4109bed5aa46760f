// One sentence for each field of a webhook, for the reference: the same for what is sent and for what is shown.
// A field without one fails a test.
import type { z } from "zod";

export const WEBHOOK_FIELD_TEXTS: Readonly<Record<string, string>> = {
  name: "What people call it; files and `apply` find it by this.",
  description: "For people.",
  url: "Where requests go: https, and no private address. Behind the host it may hold {{ expressions }}.",
  events: "Event types and patterns: `invoice.paid`, `invoice.*` (any depth), `*` (all but operational events).",
  active: "False disables it: nothing is routed to it.",
  method: "POST unless you say otherwise.",
  headers:
    "Headers of your own; values may hold {{ expressions }}. Secret values show as `********`, which sent back means: as it is.",
  secret: "Signs the requests. One is made when you give none; it is shown once.",
  signature: "How requests are signed: `profiles`, by default bigledger and standard.",
  auth: "How requests authenticate at the receiver. Secret members show as `********`, which sent back means: as it is.",
  allowedIps: "IP addresses and CIDR ranges: the address dialled must be in one of them.",
  timeout: "Seconds until an attempt is given up.",
  retryPolicy: "When failed attempts are repeated; null is the default schedule of ten attempts over three days.",
  expireAfter:
    "From then on, counted from a delivery's creation, it is not attempted any more: it becomes a dead letter.",
  expireWarning:
    "The share of `expireAfter` after which `delivery.expiring` is raised for what has not arrived: 0.8 unless given; 1: never.",
  checkAfter:
    "When nothing was sent for so long, a test request (type `webhook.test`, header `X-BigLedger-Test`) looks whether the receiver is there; 15 minutes to 30 days, null: never.",
  maxInFlight: "Requests under way at a time.",
  orderingKey:
    "Deliveries with the same key go one after the other: an expression over the event, or true for the key that the sender gave. Null: side by side.",
  onPoison:
    "What becomes of an ordered delivery that used up its attempts: `park` holds its key until somebody decides, `skip` makes it a dead letter and goes on.",
  priority:
    "Its weight beside the other webhooks of its tenant where there are fewer slots than requests: high 16, normal 4, low 1.",
  rateLimit: "No window of length `per` sees more than `limit` + `burst` requests.",
  metadata: "Up to 50 texts of your own; kept and shown, used for nothing.",
  filters:
    "Expressions over the event, or a map of paths to the values that they may have; it passes when all of them are true.",
  conditions: "Comparisons of fields of the event, and groups of them; beside `filters` both must be true.",
  conditionLogic: "Whether all conditions must be true (AND) or one of them (OR).",
  scope:
    "Only events of these companies, branches (their locations too) or locations, of what these users, employees, departments or teams did, from these sources; null: all.",
  successWhen:
    "When an answer is a success: an expression over `response.status`, `.headers` and `.body`; any 2xx unless given.",
  onResponse: "What follows an answer: rules that are asked in their order before `successWhen`.",
  batchSettings: "Many events in one request: up to `maxEvents`, none waiting longer than `maxWaitTime` seconds.",
  coalesce: "Only the last state of each `key` is sent, once nothing newer came for `window` seconds.",
  onImport: "What becomes of events of an import: each as any other, in batches, or one digest of them.",
  format:
    "What the body is: `bigledger` (the envelope), `cloudEvents`, `cloudEventsBinary`, `thin` (type, time and ids), `data` (the payload alone) or `none`.",
  transform: "The body to send, as a template, instead of the event's envelope.",
  privacy:
    "What becomes of fields that the catalogue tags `personal`, `salary` or `cost`, and of further `fields` by path, before anything is sent: `drop` or `mask`.",
  perEvent:
    "By event type or pattern, what is another for these events: `method`, `url`, `headers`, and `format` or `transform`. An exact name goes before patterns, a longer pattern before a shorter.",
};

/** The same schemas, each with its sentence. */
export function described<Fields extends Readonly<Record<string, z.ZodType>>>(fields: Fields): Fields {
  const entries = Object.entries(fields).map(([name, schema]) => {
    const description = WEBHOOK_FIELD_TEXTS[name];
    return [name, description === undefined ? schema : schema.meta({ description })];
  });
  return Object.fromEntries(entries) as Fields;
}
