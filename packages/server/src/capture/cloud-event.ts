// CloudEvents 1.0 as senders publish them, structured, binary or in batches, made into the form that capture takes. `data`
// is copied byte for byte. Must refuse by name what an event of ours cannot hold, and must not let a body that is data say
// anything else.
import { readPathText } from "../lib/json/read-path.ts";
import { QUOTE } from "./scan/ascii.ts";
import { refusalOf, refuseInvalidUtf8, type ScanRefusal, shapeRefusal } from "./scan/refusals.ts";
import { MAX_EVENT_DEPTH } from "./scan/scan-event.ts";
import { type MemberRules, scanMembers, skipMember } from "./scan/scan-members.ts";
import { REFUSED, refuseSyntax, ScanState } from "./scan/scan-state.ts";
import { skipSpace, skipValue } from "./scan/skip-value.ts";

/** The attributes that an event of ours has a place for. */
interface Attributes {
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string | null;
  readonly companyId: string | null;
  readonly userId: string | null;
  readonly partitionKey: string | null;
}

const NAMES = [
  "specversion",
  "id",
  "source",
  "type",
  "data",
  "time",
  "datacontenttype",
  "data_base64",
  "companyid",
  "userid",
  "partitionkey",
] as const;
const DATA = NAMES.indexOf("data");
const text = "a string";

/** Extension attributes may have any name; those that mean nothing to us are left out. */
const rules: MemberRules = {
  names: NAMES,
  firstBytes: NAMES.map((_, index) => (index === DATA ? 0 : QUOTE)),
  expected: NAMES.map((_, index) => (index === DATA ? "the payload, any JSON value" : text)),
  allAbsent: NAMES.map(() => -1),
  requiredCount: 5,
  object: "a CloudEvent (a JSON object)",
  takesOthers: true,
};

const JSON_TYPE = /^application\/(?:[a-z0-9.-]+\+)?json(?: *;.*)?$/i;

/**
 * One structured CloudEvent, `body` from `start` to `end`.
 * @returns the event as POST /events takes it
 */
export function fromStructured(body: Buffer, start = 0, end = body.length): Buffer | ScanRefusal {
  const invalid = refuseInvalidUtf8(body, start, end);
  if (invalid !== null) return invalid;
  const members = scanMembers(new ScanState(body, end, MAX_EVENT_DEPTH), start, rules, skipMember);
  if (members.kind === "refused") return members;
  const { starts, ends } = members;
  const textOf = (name: (typeof NAMES)[number]): string | null => {
    const index = NAMES.indexOf(name);
    const at = starts[index] as number;
    return at === -1 ? null : readPathText(body, at, ends[index] as number, []);
  };
  const refused =
    problemOf(textOf("specversion"), textOf("datacontenttype")) ??
    (textOf("data_base64") === null ? null : refuse("data_base64", "Only JSON is taken: put it into data."));
  if (refused !== null) return refused;
  return ownEvent(body.subarray(starts[DATA] as number, ends[DATA] as number), {
    id: textOf("id") ?? "",
    source: textOf("source") ?? "",
    type: textOf("type") ?? "",
    time: textOf("time"),
    companyId: textOf("companyid"),
    userId: textOf("userid"),
    partitionKey: textOf("partitionkey"),
  });
}

/** Header values, lower-case names. */
type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Whether a request is a CloudEvent in binary mode. */
export function isBinary(headers: Headers): boolean {
  return headers["ce-specversion"] !== undefined;
}

/** A binary CloudEvent: attributes in `ce-…` headers, the body is the data. */
export function fromBinary(headers: Headers, body: Buffer): Buffer | ScanRefusal {
  const invalid = refuseInvalidUtf8(body, 0, body.length) ?? refuseNoJson(body);
  if (invalid !== null) return invalid;
  const value = (name: string): string | null => {
    const given = headers[`ce-${name}`];
    return typeof given === "string" ? decoded(given) : null;
  };
  const refused = problemOf(value("specversion"), null);
  if (refused !== null) return refused;
  for (const name of ["id", "source", "type"]) {
    if (!value(name)) return refuse(`ce-${name}`, `The header ce-${name} is missing.`, "MISSING_MEMBER");
  }
  return ownEvent(body, {
    id: value("id") ?? "",
    source: value("source") ?? "",
    type: value("type") ?? "",
    time: value("time"),
    companyId: value("companyid"),
    userId: value("userid"),
    partitionKey: value("partitionkey"),
  });
}

/** The body must be one JSON value: joined to the attributes as it is, two would be something else. */
function refuseNoJson(body: Buffer): ScanRefusal | null {
  const state = new ScanState(body, body.length, MAX_EVENT_DEPTH - 1);
  const end = skipValue(state, skipSpace(body, 0, body.length), 0);
  if (end === REFUSED) return refusalOf(state);
  if (skipSpace(body, end, body.length) === body.length) return null;
  refuseSyntax(state, end, "nothing after the JSON value");
  return refusalOf(state);
}

/** Percent-encoding of the HTTP binding (section 3.1.3.2); what is none stays as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function problemOf(specVersion: string | null, contentType: string | null): ScanRefusal | null {
  if (specVersion !== "1.0") {
    return refuse("specversion", `CloudEvents 1.0 are taken, saw specversion ${JSON.stringify(specVersion)}.`);
  }
  if (contentType !== null && !JSON_TYPE.test(contentType)) {
    return refuse("datacontenttype", "Only JSON is taken as data: application/json.");
  }
  return null;
}

function refuse(field: string, message: string, code: "WRONG_TYPE" | "MISSING_MEMBER" = "WRONG_TYPE"): ScanRefusal {
  return shapeRefusal({ code, message, position: 0, field });
}

function ownEvent(data: Buffer, { id, source, type, time, companyId, userId, partitionKey }: Attributes): Buffer {
  const context = {
    ...(companyId === null ? {} : { companyId }),
    ...(userId === null ? {} : { userId }),
    source,
  };
  const event = {
    event: type,
    id,
    ...(time === null ? {} : { timestamp: time }),
    ...(partitionKey === null ? {} : { orderingKey: partitionKey }),
    context,
  };
  const head = `${JSON.stringify(event).slice(0, -1)},"data":`;
  return Buffer.concat([Buffer.from(head, "utf8"), data, Buffer.from("}", "latin1")]);
}
