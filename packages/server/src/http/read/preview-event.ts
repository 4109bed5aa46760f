// The event that a preview is about: given in the request, stored, or the example of its type. All three end as the
// bytes that a webhook would be sent, with every number as it was written.
import { formatId, normaliseTimestamp } from "@posthorn/contract";
import type pg from "pg";
import type { Catalogue } from "../../catalogue/catalogue.ts";
import { isEventTypeName, matchesPattern } from "../../catalogue/pattern.ts";
import type { DeliverableEvent } from "../../deliver/queue.ts";
import { JsonText } from "../../expressions/json-text.ts";
import { parseKeepingTexts } from "../../expressions/payload.ts";
import { isObject, ownMember, type Value } from "../../expressions/values.ts";
import { asTenant } from "../../storage/pools.ts";
import { type Failure, failure, fieldFailure } from "../answer.ts";
import type { Principal } from "../principal.ts";
import type { PreviewBody } from "../schemas/preview.ts";
import { selectEventTypes } from "./event-types.sql.ts";
import type { Records } from "./records.ts";
import { eventHeadView } from "./views.ts";

export interface PreviewEventSources {
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly catalogue: Pick<Catalogue, "get" | "nearest">;
  readonly records: Pick<Records, "event">;
  /** Sixteen bytes of a new UUIDv7. */
  readonly newId: () => Uint8Array;
  /** The time written in an event's id. */
  readonly timestampOfEvent: (eventIdBytes: Uint8Array) => string;
}

export type PreviewEvent =
  | { readonly ok: true; readonly event: DeliverableEvent }
  | { readonly ok: false; readonly failure: Failure };

type Given = PreviewBody["event"];

/**
 * @param heard patterns of the webhook: a type that one of them names may be previewed although nobody knows it
 * @param rawBody the request as it came, for the digits of an event that is given in it
 */
export async function previewEvent(
  sources: PreviewEventSources,
  principal: Principal,
  given: Given,
  heard: readonly string[],
  rawBody: Buffer | undefined,
): Promise<PreviewEvent> {
  if (given.example !== undefined) {
    const others = Object.keys(given).filter((name) => name !== "example");
    if (others.length > 0) return refused(`event.${others[0]}`, "An example is taken as it is. Leave this out.");
    return exampleEvent(sources, principal, given.example);
  }
  if (given.event !== undefined) return givenEvent(sources, principal, given, given.event, heard, rawBody);
  const others = Object.keys(given).filter((name) => name !== "id");
  if (given.id === undefined || others.length > 0) {
    const message = "Give `event` and `data` as if you published it, the `id` of a stored event, or `example`.";
    return refused("event", message, "MISSING_MEMBER");
  }
  return storedEvent(sources, principal, given.id);
}

async function storedEvent(sources: PreviewEventSources, principal: Principal, id: string): Promise<PreviewEvent> {
  const found = await sources.records.event(principal, id);
  if (found === null) {
    return {
      ok: false,
      failure: failure("NOT_FOUND", "There is no such event. Check the id and the mode of the key."),
    };
  }
  const { event, payload } = found;
  if (event.erased_at !== null) {
    return { ok: false, failure: failure("CONFLICT", "The payload of this event was erased.") };
  }
  const head = eventHeadView(event) as { id: string; timestamp: string };
  const { data, context } = payload;
  const shell = newEvent(sources, principal, event.type);
  return { ok: true, event: { ...shell, publicId: head.id, timestamp: head.timestamp, data, context } };
}

async function exampleEvent(sources: PreviewEventSources, principal: Principal, type: string): Promise<PreviewEvent> {
  const registered = await registeredTypes(sources, principal);
  const own = registered.find((each) => each.name === type)?.example;
  const example: unknown = own ?? sources.catalogue.get(type)?.example;
  if (typeof example !== "object" || example === null || !("data" in example)) {
    const isKnown = registered.some((each) => each.name === type);
    return isKnown
      ? refused("event.example", "This event type was registered without an example. Give `event` and `data` instead.")
      : unknownType(sources, "event.example", type);
  }
  const timestamp =
    "timestamp" in example && typeof example.timestamp === "string" ? { timestamp: example.timestamp } : {};
  const context = "context" in example ? bytesOf(example.context as Value) : null;
  const data = bytesOf(example.data as Value);
  return { ok: true, event: { ...newEvent(sources, principal, type), ...timestamp, data, context } };
}

async function givenEvent(
  sources: PreviewEventSources,
  principal: Principal,
  given: Given,
  type: string,
  heard: readonly string[],
  rawBody: Buffer | undefined,
): Promise<PreviewEvent> {
  if (!isEventTypeName(type)) return refused("event.event", "Expected an event type such as invoice.paid.");
  const isHeard = heard.some((pattern) => pattern !== "*" && matchesPattern(pattern, type));
  const isKnown = isHeard || sources.catalogue.get(type) !== undefined || principal.unknownEventTypes === "open";
  if (!isKnown && !(await registeredTypes(sources, principal)).some((each) => each.name === type)) {
    return unknownType(sources, "event.event", type);
  }
  if (given.data === undefined) return refused("event.data", "This is required (any JSON value).", "MISSING_MEMBER");
  const timestamp = given.timestamp === undefined ? undefined : normaliseTimestamp(given.timestamp);
  if (timestamp === null)
    return refused("event.timestamp", "Expected ISO 8601 with an offset, as 2026-03-12T02:30:00Z.");
  const whole = rawBody === undefined ? null : parseKeepingTexts(rawBody);
  const event = isObject(whole) ? ownMember(whole, "event") : null;
  const member = (name: string): Value => (isObject(event) ? ownMember(event, name) : null);
  return {
    ok: true,
    event: {
      ...newEvent(sources, principal, type),
      ...(given.id === undefined ? {} : { publicId: given.id }),
      ...(timestamp === undefined ? {} : { timestamp }),
      data: bytesOf(member("data")),
      context: given.context === undefined ? null : bytesOf(member("context")),
    },
  };
}

/** An event that exists nowhere, as if it had just come in. */
function newEvent(
  sources: PreviewEventSources,
  principal: Principal,
  type: string,
): Omit<DeliverableEvent, "data" | "context"> {
  const idBytes = sources.newId();
  return {
    idBytes,
    publicId: formatId("event", idBytes),
    type,
    timestamp: sources.timestampOfEvent(idBytes),
    livemode: principal.livemode,
    retentionClass: principal.retentionClass,
  };
}

function registeredTypes({ api }: PreviewEventSources, { tenantUuid }: Principal) {
  return asTenant(api, tenantUuid, (db) => selectEventTypes(db, tenantUuid));
}

function bytesOf(value: Value): Buffer {
  const json = new JsonText();
  json.write(value);
  return Buffer.from(json.text, "utf8");
}

function unknownType({ catalogue }: PreviewEventSources, field: string, type: string): PreviewEvent {
  const nearest = catalogue.nearest(type, 3);
  const hint = nearest.length > 0 ? ` Did you mean ${nearest.join(" or ")}?` : "";
  const message = `There is no event type ${JSON.stringify(type)}.${hint}`;
  return { ok: false, failure: fieldFailure([{ field, message, code: "UNKNOWN_EVENT_TYPE", nearest }]) };
}

function refused(field: string, message: string, code = "INVALID_VALUE"): PreviewEvent {
  return { ok: false, failure: fieldFailure([{ field, message, code }]) };
}
