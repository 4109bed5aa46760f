// The names that a template can read which is filled for a whole batch: `events`, each as its envelope, and `batch`.
// Must know nothing of single events: where a batch holds several, `event` or `invoice` would be one of them by chance.
import { parseKeepingTexts } from "../../expressions/payload.ts";
import type { Scope, ScopeDefinitions } from "../../expressions/scope.ts";
import { ABSENT, isList, isObject, ownMember, type Value } from "../../expressions/values.ts";

/**
 * @param body the batch's body as it is without a template
 * @param definitions the tenant's code tables; its rules are about single events, and find none here
 */
export function batchScope(body: Uint8Array, definitions: ScopeDefinitions): Scope {
  const parsed = parseKeepingTexts(body);
  const whole = isObject(parsed) ? parsed : {};
  const events = ownMember(whole, "events");
  const names: Readonly<Record<string, Value>> = {
    events,
    batch: {
      id: ownMember(whole, "batchId"),
      timestamp: ownMember(whole, "batchTimestamp"),
      count: isList(events) ? events.length : 0,
    },
  };
  const lookup = (name: string): Value => (Object.hasOwn(names, name) ? (names[name] as Value) : ABSENT);
  return { fieldAliases: {}, lookup, definitions };
}
