// The shape of an entry in the table of routes: routing, permission, validation (and OpenAPI) are read from it.
// Two kinds: ordinary entries get validated input and answer with a value; raw entries get bytes and answer themselves.
import type { ServerResponse } from "node:http";
import type { ErrorCode } from "@posthorn/contract";
import type { z } from "zod";
import type { Answer, Failure } from "./answer.ts";
import type { Principal } from "./principal.ts";
import type { RawCall } from "./raw-call.ts";
import type { Scope } from "./scopes.ts";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** What an ordinary handler is called with. */
export interface Call<Query = unknown, Body = unknown> {
  readonly principal: Principal;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Body;
  /** The body's bytes, where a handler needs more of them than JSON.parse keeps; undefined when none came. */
  readonly rawBody?: Buffer | undefined;
  /** `If-Match` as sent. */
  readonly ifMatch: string | undefined;
  readonly requestId: string;
}

/** What a success looks like, for the reference and for the test that calls every route. */
export interface AnswerShape {
  readonly status: 200 | 201 | 202;
  /** Schema of `data`; for a list of one of its elements. */
  readonly data: z.ZodType;
  /** True for a page: `data` is an array and `pagination` stands beside it. */
  readonly isList?: boolean;
  /** Headers of the success that a client may want to read. */
  readonly headers?: readonly AnswerHeader[];
}

export type AnswerHeader = "ETag" | "Location" | "Idempotency-Replayed";
export type RequestHeader = "If-Match" | "Idempotency-Key";

/** Groups of the reference, in its order. */
export const TAGS = {
  Events: "What happened: published once, never changed, kept with its deliveries.",
  Deliveries: "The duty to bring one event to one webhook, its attempts, and how it ended.",
  Webhooks: "Who must hear of what: a URL, event types, filters, a secret, a policy.",
  Preview: "What would be sent, without sending it.",
  "Event types": "The catalogue, and the types that a tenant registered itself.",
  Rules: "Business rules and code tables: named once, used by any number of webhooks, changed in one place.",
  Tenants: "Customers, and the wall between them.",
  Routes: "Which webhooks an event is given to, when.",
  Companies: "The companies of a tenant.",
  Organisation: "Branches, locations and people, by which webhooks are restricted.",
  "API keys": "Who may call this API, and what for.",
  Digest: "Who is told by e-mail and chat what operational events say.",
  Audit: "Who changed what.",
  Nodes: "The processes of the installation.",
  About: "This API itself.",
} as const satisfies Record<string, string>;
export type Tag = keyof typeof TAGS;

interface EntryBase {
  readonly method: Method;
  /** Below /v1, with parameters in braces: `/webhooks/{id}`. */
  readonly path: string;
  readonly scope: Scope;
  /**
   * Whether a webhook's own read key may come in. The handler then shows it nothing but `principal.webhookUuid`; below
   * /webhooks/{id} it has been held against `{id}` already.
   */
  readonly allowsReadKey?: boolean;
  /** True where something is changed or shown that both modes share: sandbox keys are refused. */
  readonly needsLiveKey?: boolean;
  /** One sentence for the reference. */
  readonly summary: string;
  readonly tag: Tag;
  readonly answer: AnswerShape;
  /** Refusals of its own, beside those that any route can answer with (openapi-errors.ts). */
  readonly errors: readonly ErrorCode[];
  /** Headers that it honours, beside those that any route does. */
  readonly requestHeaders: readonly RequestHeader[];
}

/** Field names that a body may not hold although the contract knows them. */
export interface FieldHints {
  /** The member of the body that lists the objects which these names are about; absent when it is the body itself. */
  readonly inListOf?: string;
  /** Part of the contract, not built yet: 422 FIELD_NOT_AVAILABLE_YET. Members of members with a dot: `auth.tokenUrl`. */
  readonly notYet?: readonly string[];
  /** The same for some values of a field: `{ "auth.type": ["jwt"] }`. */
  readonly notYetValues?: Readonly<Record<string, readonly string[]>>;
  /** Shown in answers, set by us; the text says how to change it: 422 READ_ONLY_FIELD. */
  readonly readOnly?: Readonly<Record<string, string>>;
}

export interface OrdinaryRoute extends EntryBase {
  readonly raw: false;
  readonly query: z.ZodObject | null;
  readonly body: z.ZodType | null;
  /** True when no body at all means `{}`. */
  readonly bodyOptional: boolean;
  readonly hints: FieldHints;
  readonly handle: (call: Call) => Promise<Answer>;
}

/**
 * Takes a raw request from here. It answers exactly once, through answer-now.ts; a throw or rejection becomes a
 * failure answer. `body` is what the sender sent, unparsed and never shared.
 */
export type RawHandler = (principal: Principal, body: Buffer, call: RawCall) => void | Promise<void>;

export interface RawRoute extends EntryBase {
  readonly raw: true;
  readonly bodyLimitBytes: number;
  /** Media types taken (lower case, without parameters) and, for the reference only, what a body of each looks like. */
  readonly bodies: Readonly<Record<string, z.ZodType>>;
  readonly contentTypes: readonly string[];
  /**
   * Asked before a byte of the body is read, so that an overloaded node does not buffer what it cannot take.
   * @param contentLength as declared, or -1 for a chunked body
   * @param response to hang a release on: it closes exactly once, when the request is over, however it ends
   * @returns a failure to refuse with, or null
   */
  readonly admit: ((principal: Principal, contentLength: number, response: ServerResponse) => Failure | null) | null;
  readonly handle: RawHandler;
}

export type Route = OrdinaryRoute | RawRoute;

/** Writes an ordinary entry; the handler's types come from its schemas. */
export function route<Query extends z.ZodObject | null = null, Body extends z.ZodType | null = null>(entry: {
  method: Method;
  path: string;
  scope: Scope;
  allowsReadKey?: boolean;
  needsLiveKey?: boolean;
  summary: string;
  tag: Tag;
  answer: AnswerShape;
  errors?: readonly ErrorCode[];
  requestHeaders?: readonly RequestHeader[];
  query?: Query;
  body?: Body;
  bodyOptional?: boolean;
  hints?: FieldHints;
  handle: (call: Call<OutputOf<Query>, OutputOf<Body>>) => Promise<Answer>;
}): OrdinaryRoute {
  return {
    ...entry,
    raw: false,
    errors: entry.errors ?? [],
    requestHeaders: entry.requestHeaders ?? [],
    query: entry.query ?? null,
    body: entry.body ?? null,
    bodyOptional: entry.bodyOptional ?? false,
    hints: entry.hints ?? {},
    // Sound: the server calls it only with what these very schemas let through.
    handle: entry.handle as OrdinaryRoute["handle"],
  };
}

type OutputOf<Schema extends z.ZodType | null> = Schema extends z.ZodType ? z.output<Schema> : undefined;

/** Writes a raw entry. */
export function rawRoute(
  entry: Omit<RawRoute, "raw" | "admit" | "contentTypes"> & { admit?: RawRoute["admit"] },
): RawRoute {
  return { ...entry, raw: true, admit: entry.admit ?? null, contentTypes: Object.keys(entry.bodies) };
}
