// The scope of one event from its stored parts: the one way in which filters, templates and previews see an event.
// Lazy: a payload that no expression reads is never parsed.
import { type EventScopeInput, eventScope } from "./event-scope.ts";
import type { Scope, ScopeDefinitions } from "./scope.ts";
import { ABSENT, type Value } from "./values.ts";

/** An event as every stage carries it. */
export interface ScopedEvent {
  /** What receivers see as its id. */
  readonly publicId: string;
  readonly type: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly data: Uint8Array;
  readonly context: Uint8Array | null;
}

/** How `data.object` and its members may be called; catalogue/resource-names.ts knows it. */
export type ResourceNames = EventScopeInput["resource"];

/**
 * @param definitions the tenant's rules and code tables
 * @param parse `parsePayload` or `parseKeepingTexts`: how numbers come out
 */
export function scopeOfEvent(
  event: ScopedEvent,
  names: ResourceNames,
  definitions: ScopeDefinitions,
  parse: (bytes: Uint8Array) => Value,
): Scope {
  const { context } = event;
  return eventScope({
    event: { id: event.publicId, type: event.type, timestamp: event.timestamp, livemode: event.livemode },
    data: () => parse(event.data),
    context: () => (context === null ? ABSENT : parse(context)),
    resource: names,
    definitions,
  });
}
