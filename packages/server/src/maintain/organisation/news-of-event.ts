// What one of the platform's own events says of the organisation. Its payload is whatever the platform wrote: what is not
// as expected says nothing, and never throws.
import type { OrganisationNews } from "../../manage/organisation-changes.ts";
import { ORGANISATION_KINDS, type OrganisationKind } from "../../storage/organisation.ts";

/** What is read of an event. */
export interface OrganisationEvent {
  readonly type: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly data: Buffer;
}

/** They change nothing of who somebody is, and come all day. */
const SILENT_VERBS = new Set(["login", "logout", "password_changed"]);
const REMOVING_VERBS = new Set(["deleted", "removed"]);
const PARENT_NAMES: Readonly<Record<OrganisationKind, readonly string[]>> = {
  company: [],
  branch: ["company"],
  location: ["branch"],
  employee: [],
  user: ["employee"],
};
const MAX_LENGTH = 200;
const MAX_NAMES = 100;
const CONTROLS = /[\p{Cc}\p{Cs}]/u;

/** Whether events of this type may say something of the organisation. Asked for every event. */
export function isOrganisationType(type: string): boolean {
  const dot = type.indexOf(".");
  return dot > 0 && isKind(type.slice(0, dot)) && !SILENT_VERBS.has(type.slice(dot + 1));
}

/** Null when it says nothing. Sandbox events never do: they are tries. */
export function newsOfEvent({ type, timestamp, livemode, data }: OrganisationEvent): OrganisationNews | null {
  const dot = type.indexOf(".");
  const kind = type.slice(0, dot);
  if (!livemode || !isKind(kind)) return null;
  const object = objectIn(data);
  const id = textOf(object?.["id"]);
  const asOfMs = Date.parse(timestamp);
  if (object === null || id === undefined || id === null || Number.isNaN(asOfMs)) return null;
  return {
    kind,
    id,
    asOfMs,
    isRemoved: REMOVING_VERBS.has(type.slice(dot + 1)),
    name: textOf(object["name"] ?? object["displayName"]) ?? undefined,
    parentId: parentOf(kind, object),
    departments: namesIn(object, "department", "departments"),
    teams: namesIn(object, "team", "teams"),
  };
}

function parentOf(kind: OrganisationKind, object: Readonly<Record<string, unknown>>): string | null | undefined {
  for (const name of PARENT_NAMES[kind]) {
    if (Object.hasOwn(object, `${name}Id`)) return textOf(object[`${name}Id`]);
    const nested = object[name];
    if (isRecord(nested)) return textOf(nested["id"]);
  }
  return undefined;
}

/** `teams`, `teamIds`, `team` and `teamId` together; undefined when it has none of these. */
function namesIn(object: Readonly<Record<string, unknown>>, one: string, many: string): string[] | undefined {
  const members = [many, `${one}Ids`, one, `${one}Id`].filter((name) => Object.hasOwn(object, name));
  if (members.length === 0) return undefined;
  const names = members.flatMap((name) => (Array.isArray(object[name]) ? object[name] : [object[name]]));
  return names
    .map((each) => textOf(isRecord(each) ? each["id"] : each))
    .filter((text) => typeof text === "string")
    .slice(0, MAX_NAMES);
}

/** Undefined for what is no name. */
function textOf(value: unknown): string | null | undefined {
  if (value === null) return null;
  if (typeof value !== "string" || value === "" || value.length > MAX_LENGTH || CONTROLS.test(value)) return undefined;
  return value;
}

function objectIn(data: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const parsed: unknown = JSON.parse(data.toString("utf8"));
    const object = isRecord(parsed) ? parsed["object"] : null;
    return isRecord(object) ? object : null;
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isKind(text: string): text is OrganisationKind {
  return (ORGANISATION_KINDS as readonly string[]).includes(text);
}
