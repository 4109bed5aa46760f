// Event types that Posthorn raises itself, about its own work; the catalogue describes them (a test holds both
// together). Senders may publish them like any other, to try what hears them. What comes of delivering one must never
// raise another one: statements and stages ask here.

export const OPERATIONAL_TYPES = [
  "delivery.acknowledged",
  "delivery.dead_lettered",
  "delivery.expiring",
  "delivery.recovered",
  "key.parked",
  "key.released",
  "module.resumed",
  "module.silent",
  "webhook.certificate_expiring",
  "webhook.disable_announced",
  "webhook.disabled",
  "webhook.health_changed",
] as const;

export type OperationalType = (typeof OPERATIONAL_TYPES)[number];

const NAMES: ReadonlySet<string> = new Set(OPERATIONAL_TYPES);

export function isOperationalType(eventType: string): boolean {
  return NAMES.has(eventType);
}
