// The routes of rules and code tables, which are alike: what they take, and how outcomes become answers. Deciding and storing
// is manage/definitions.ts.
import type {
  DefinitionFields,
  DefinitionRemoved,
  DefinitionStore,
  DefinitionUser,
  DefinitionWritten,
  FoundDefinition,
} from "../../manage/definitions.ts";
import type { DefinitionVersionRow } from "../../manage/definitions.sql.ts";
import { z } from "zod";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { type CursorKind, decodeCursor } from "../cursor.ts";
import { cursorFailure, PAGE_PARAMETERS, pageOf } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import {
  codeTableChange,
  codeTableRecord,
  codeTableToCreate,
  codeTableVersion,
  DEFINITION_NAME,
  deletedCodeTable,
  deletedRule,
  ruleChange,
  ruleRecord,
  ruleToCreate,
  ruleVersion,
} from "../schemas/definition.ts";
import { actorOf } from "./webhooks.ts";

export type DefinitionsFace = Pick<DefinitionStore, "create" | "change" | "remove" | "get" | "list" | "versions">;

/** What of a kind is not the same for the other. */
interface Kind {
  readonly path: "/rules" | "/code-tables";
  readonly cursor: CursorKind;
  /** In messages: “no such rule”. */
  readonly word: string;
  /** Members of a body, for the view: null where one is left out. */
  readonly members: readonly string[];
}

const RULES: Kind = {
  path: "/rules",
  cursor: "rule",
  word: "rule",
  members: ["expression", "description", "owner", "validFrom", "validUntil"],
};
const CODE_TABLES: Kind = {
  path: "/code-tables",
  cursor: "code_table",
  word: "code table",
  members: ["entries", "description", "owner"],
};

const listQuery = z.strictObject(PAGE_PARAMETERS);
const setByPosthorn = "It is set by Posthorn. Leave it out.";
const readOnly = {
  version: "It counts changes.",
  createdAt: setByPosthorn,
  updatedAt: setByPosthorn,
  usedBy: setByPosthorn,
};
const hints = { readOnly };
const changeHints = {
  readOnly: { ...readOnly, name: "Expressions name it. Make another one, and change who uses this one." },
};
/** How many users an answer and a refusal name. */
const SHOWN_USERS = 100;
const NAMED_USERS = 10;

const reading = { scope: "read:webhooks", tag: "Rules" } as const;
// Both modes use them.
const writing = { scope: "write:webhooks", tag: "Rules", needsLiveKey: true } as const;
const ERRORS = ["INVALID_EXPRESSION", "PRECONDITION_FAILED"] as const;

export function ruleRoutes(rules: DefinitionsFace): OrdinaryRoute[] {
  return [
    route({
      ...reading,
      method: "GET",
      path: "/rules",
      summary: "List business rules by name, with who uses them.",
      query: listQuery,
      answer: { status: 200, data: ruleRecord, isList: true },
      handle: (call) => list(rules, RULES, call),
    }),
    route({
      ...writing,
      method: "POST",
      path: "/rules",
      summary: "Make a business rule; filters and templates then name it as `rule.large_order`.",
      body: ruleToCreate,
      hints,
      answer: { status: 201, data: ruleRecord, headers: ["ETag", "Location"] },
      errors: ["INVALID_EXPRESSION", "ALREADY_EXISTS", "CONFLICT"],
      handle: (call) => create(rules, RULES, call),
    }),
    route({
      ...reading,
      method: "GET",
      path: "/rules/{name}",
      summary: "Read one business rule, and who uses it.",
      answer: { status: 200, data: ruleRecord, headers: ["ETag"] },
      handle: (call) => withName(RULES, call, (name) => get(rules, RULES, call, name)),
    }),
    route({
      ...writing,
      method: "PATCH",
      path: "/rules/{name}",
      summary: "Change a business rule for everything that uses it, everywhere within two seconds.",
      body: ruleChange,
      hints: changeHints,
      answer: { status: 200, data: ruleRecord, headers: ["ETag"] },
      errors: ERRORS,
      requestHeaders: ["If-Match"],
      handle: (call) => withName(RULES, call, (name) => change(rules, RULES, call, name)),
    }),
    route({
      ...writing,
      method: "DELETE",
      path: "/rules/{name}",
      summary: "Delete a business rule that nothing uses. Its versions stay.",
      answer: { status: 200, data: deletedRule },
      errors: ["CONFLICT", "PRECONDITION_FAILED"],
      requestHeaders: ["If-Match"],
      handle: (call) => withName(RULES, call, (name) => remove(rules, RULES, call, name)),
    }),
    route({
      ...reading,
      method: "GET",
      path: "/rules/{name}/versions",
      summary: "List what a business rule said and when, newest first; of a deleted one too.",
      query: listQuery,
      answer: { status: 200, data: ruleVersion, isList: true },
      handle: (call) => withName(RULES, call, (name) => versions(rules, RULES, call, name)),
    }),
  ];
}

export function codeTableRoutes(tables: DefinitionsFace): OrdinaryRoute[] {
  return [
    route({
      ...reading,
      method: "GET",
      path: "/code-tables",
      summary: "List code tables by name, with who uses them.",
      query: listQuery,
      answer: { status: 200, data: codeTableRecord, isList: true },
      handle: (call) => list(tables, CODE_TABLES, call),
    }),
    route({
      ...writing,
      method: "POST",
      path: "/code-tables",
      summary: 'Make a code table; filters and templates then read it with `lookup("tax", code)`.',
      body: codeTableToCreate,
      hints,
      answer: { status: 201, data: codeTableRecord, headers: ["ETag", "Location"] },
      errors: ["ALREADY_EXISTS", "CONFLICT"],
      handle: (call) => create(tables, CODE_TABLES, call),
    }),
    route({
      ...reading,
      method: "GET",
      path: "/code-tables/{name}",
      summary: "Read one code table, and who uses it.",
      answer: { status: 200, data: codeTableRecord, headers: ["ETag"] },
      handle: (call) => withName(CODE_TABLES, call, (name) => get(tables, CODE_TABLES, call, name)),
    }),
    route({
      ...writing,
      method: "PATCH",
      path: "/code-tables/{name}",
      summary: "Change a code table for everything that reads it, everywhere within two seconds.",
      body: codeTableChange,
      hints: changeHints,
      answer: { status: 200, data: codeTableRecord, headers: ["ETag"] },
      errors: ["PRECONDITION_FAILED"],
      requestHeaders: ["If-Match"],
      handle: (call) => withName(CODE_TABLES, call, (name) => change(tables, CODE_TABLES, call, name)),
    }),
    route({
      ...writing,
      method: "DELETE",
      path: "/code-tables/{name}",
      summary: "Delete a code table that nothing reads. Its versions stay.",
      answer: { status: 200, data: deletedCodeTable },
      errors: ["CONFLICT", "PRECONDITION_FAILED"],
      requestHeaders: ["If-Match"],
      handle: (call) => withName(CODE_TABLES, call, (name) => remove(tables, CODE_TABLES, call, name)),
    }),
    route({
      ...reading,
      method: "GET",
      path: "/code-tables/{name}/versions",
      summary: "List what a code table held and when, newest first; of a deleted one too.",
      query: listQuery,
      answer: { status: 200, data: codeTableVersion, isList: true },
      handle: (call) => withName(CODE_TABLES, call, (name) => versions(tables, CODE_TABLES, call, name)),
    }),
  ];
}

type ListCall = Call<z.output<typeof listQuery>>;

async function list(face: DefinitionsFace, kind: Kind, call: ListCall): Promise<Answer> {
  const after = call.query.cursor === undefined ? "" : decodeCursor(kind.cursor, call.query.cursor);
  if (after === null || (after !== "" && !DEFINITION_NAME.test(after))) return cursorFailure();
  const limit = call.query.limit ?? 50;
  const found = await face.list(actorOf(call), after, limit + 1);
  return pageOf(
    kind.cursor,
    found,
    limit,
    ({ row }) => row.name,
    (each) => viewOf(kind, each),
  );
}

async function create(
  face: DefinitionsFace,
  kind: Kind,
  call: Call<unknown, { readonly name: string } & DefinitionFields>,
): Promise<Answer> {
  const { name, ...fields } = call.body;
  return answerOf(kind, await face.create(actorOf(call), name, fields), 201);
}

async function change(
  face: DefinitionsFace,
  kind: Kind,
  call: Call<unknown, DefinitionFields>,
  name: string,
): Promise<Answer> {
  return answerOf(kind, await face.change(actorOf(call), name, call.body, call.ifMatch), 200);
}

async function get(face: DefinitionsFace, kind: Kind, call: Call, name: string): Promise<Answer> {
  const found = await face.get(actorOf(call), name);
  return found === null ? noneOf(kind) : { ...success(viewOf(kind, found)), headers: { etag: found.etag } };
}

async function remove(face: DefinitionsFace, kind: Kind, call: Call, name: string): Promise<Answer> {
  const outcome: DefinitionRemoved = await face.remove(actorOf(call), name, call.ifMatch);
  switch (outcome.kind) {
    case "removed":
      return success({ name, deleted: true });
    case "in_use": {
      const { usedBy } = outcome;
      const named = usedBy.slice(0, NAMED_USERS).map(nameOf).join(", ");
      const more = usedBy.length > NAMED_USERS ? ` and ${usedBy.length - NAMED_USERS} more` : "";
      const message = `This ${kind.word} is in use by ${named}${more}. Take it out there first; GET /v1${kind.path}/${name} says in which fields.`;
      return failure("CONFLICT", message);
    }
    case "absent":
    case "stale":
      return refusalOf(kind, outcome);
    default:
      return outcome satisfies never;
  }
}

async function versions(face: DefinitionsFace, kind: Kind, call: ListCall, name: string): Promise<Answer> {
  const { cursor, limit = 50 } = call.query;
  const key = cursor === undefined ? String(2 ** 31 - 1) : decodeCursor("definition_version", cursor);
  if (key === null || !/^[0-9]{1,10}$/.test(key) || Number(key) >= 2 ** 31) return cursorFailure();
  const found = await face.versions(actorOf(call), name, Number(key), limit + 1);
  if (found === null) return noneOf(kind);
  return pageOf(
    "definition_version",
    found,
    limit,
    (row) => String(row.version),
    (row) => versionView(kind, row),
  );
}

async function withName(kind: Kind, call: Call, then: (name: string) => Promise<Answer>): Promise<Answer> {
  const name = call.params["name"] as string;
  return DEFINITION_NAME.test(name) ? then(name) : noneOf(kind);
}

function answerOf(kind: Kind, outcome: DefinitionWritten, status: 200 | 201): Answer {
  switch (outcome.kind) {
    case "written": {
      const location = status === 201 ? { location: `/v1${kind.path}/${outcome.row.name}` } : {};
      return { ...success(viewOf(kind, outcome), status), headers: { etag: outcome.etag, ...location } };
    }
    case "exists":
      return failure("ALREADY_EXISTS", `There is a ${kind.word} of this name already. PATCH it to change it.`);
    case "too_many":
      return failure("CONFLICT", `A tenant has at most ${outcome.limit} ${kind.word}s. Delete those not in use.`);
    case "invalid":
      return fieldFailure(outcome.details);
    case "absent":
    case "stale":
      return refusalOf(kind, outcome);
    default:
      return outcome satisfies never;
  }
}

function refusalOf(kind: Kind, outcome: { kind: "absent" } | { kind: "stale"; etag: string }): Answer {
  if (outcome.kind === "absent") return noneOf(kind);
  return { ...failure("PRECONDITION_FAILED"), headers: { etag: outcome.etag } };
}

function noneOf({ word, path }: Kind): Answer {
  return failure("NOT_FOUND", `There is no such ${word}. GET /v1${path} lists those that there are.`);
}

function nameOf(user: DefinitionUser): string {
  if (user.type === "rule") return `rule.${user.name}`;
  const name = user.type === "route" ? `the route ${user.name}` : user.id;
  return user.livemode ? name : `${name} (sandbox)`;
}

function bodyView({ members }: Kind, body: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(members.map((member) => [member, body[member] ?? null]));
}

function viewOf(kind: Kind, { row, usedBy }: FoundDefinition): Record<string, unknown> {
  return {
    name: row.name,
    ...bodyView(kind, row.body),
    version: row.version,
    createdAt: row.created_at.toISOString(),
    updatedAt: row.updated_at.toISOString(),
    usedBy: usedBy.slice(0, SHOWN_USERS).map(userView),
    usedByCount: usedBy.length,
  };
}

function userView(user: DefinitionUser): Record<string, unknown> {
  if (user.type !== "webhook") return { type: user.type, name: user.name };
  return { type: user.type, id: user.id, fields: user.fields };
}

function versionView(kind: Kind, row: DefinitionVersionRow): Record<string, unknown> {
  return {
    version: row.version,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
    fromConfigVersion: row.from_config_version,
    toConfigVersion: row.to_config_version,
    ...bodyView(kind, row.body),
  };
}
