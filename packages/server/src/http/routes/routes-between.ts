// The requests about routes between webhooks: what they take, and how outcomes become answers. Deciding and storing is
// manage/routes.ts.
import { z } from "zod";
import type { RouteRemoved, RouteStore, RouteWritten } from "../../manage/routes.ts";
import type { RouteVersionRow } from "../../manage/routes.sql.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { decodeCursor } from "../cursor.ts";
import { cursorFailure, PAGE_PARAMETERS, pageOf } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { deletedRoute, ROUTE_NAME, routeRecord, routeToPut } from "../schemas/route.ts";
import { actorOf } from "./webhooks.ts";

export type RoutesFace = Pick<RouteStore, "put" | "remove" | "get" | "list" | "versions">;

const listQuery = z.strictObject(PAGE_PARAMETERS);
type ListCall = Call<z.output<typeof listQuery>>;

const setByPosthorn = "It is set by Posthorn. Leave it out.";
const hints = {
  readOnly: {
    name: "It stands in the path.",
    version: "It counts changes.",
    createdAt: setByPosthorn,
    createdBy: setByPosthorn,
    fromConfigVersion: setByPosthorn,
    toConfigVersion: setByPosthorn,
  },
};

export function routesBetween(routes: RoutesFace): OrdinaryRoute[] {
  const reading = { scope: "read:webhooks", tag: "Routes" } as const;
  const writing = { scope: "write:webhooks", tag: "Routes" } as const;
  return [
    route({
      ...reading,
      method: "GET",
      path: "/routes",
      summary: "List routes by name.",
      query: listQuery,
      answer: { status: 200, data: routeRecord, isList: true },
      handle: (call) => list(routes, call),
    }),
    route({
      ...reading,
      method: "GET",
      path: "/routes/{name}",
      summary: "Read one route.",
      answer: { status: 200, data: routeRecord, headers: ["ETag"] },
      handle: (call) => withName(call, (name) => get(routes, call, name)),
    }),
    route({
      ...writing,
      method: "PUT",
      path: "/routes/{name}",
      summary: "Make a route, or replace the whole of it by a new version; in force everywhere within two seconds.",
      body: routeToPut,
      hints,
      answer: { status: 200, data: routeRecord, headers: ["ETag"] },
      errors: ["INVALID_EXPRESSION", "PRECONDITION_FAILED", "CONFLICT"],
      requestHeaders: ["If-Match"],
      handle: (call) => put(routes, call),
    }),
    route({
      ...writing,
      method: "DELETE",
      path: "/routes/{name}",
      summary: "Delete a route; webhooks that stand in no other hear by their own filters again. Its versions stay.",
      answer: { status: 200, data: deletedRoute },
      errors: ["PRECONDITION_FAILED"],
      requestHeaders: ["If-Match"],
      handle: (call) =>
        withName(call, async (name) => answerOfRemoved(await routes.remove(actorOf(call), name, call.ifMatch), name)),
    }),
    route({
      ...reading,
      method: "GET",
      path: "/routes/{name}/versions",
      summary: "List what a route said and when, newest first; of a deleted one too.",
      query: listQuery,
      answer: { status: 200, data: routeRecord, isList: true },
      handle: (call) => withName(call, (name) => versions(routes, call, name)),
    }),
  ];
}

async function list(routes: RoutesFace, call: ListCall): Promise<Answer> {
  const { cursor, limit = 50 } = call.query;
  const after = cursor === undefined ? "" : decodeCursor("route", cursor);
  if (after === null || (after !== "" && !ROUTE_NAME.test(after))) return cursorFailure();
  const found = await routes.list(actorOf(call), after, limit + 1);
  return pageOf("route", found, limit, ({ name }) => name, viewOf);
}

async function get(routes: RoutesFace, call: Call, name: string): Promise<Answer> {
  const found = await routes.get(actorOf(call), name);
  return found === null ? noRoute() : { ...success(viewOf(found.row)), headers: { etag: found.etag } };
}

async function put(routes: RoutesFace, call: Call<undefined, z.output<typeof routeToPut>>): Promise<Answer> {
  const name = call.params["name"] as string;
  if (!ROUTE_NAME.test(name)) {
    const message = "Expected small letters, digits and _, a letter first, up to 63 of them: large_orders";
    return fieldFailure([{ field: "name", message, code: "INVALID_VALUE" }]);
  }
  const { steps, matches = "first", default: otherwise = [], description, owner } = call.body;
  const body = {
    steps,
    matches,
    default: otherwise,
    ...(description === undefined ? {} : { description }),
    ...(owner === undefined ? {} : { owner }),
  };
  return answerOfWritten(await routes.put(actorOf(call), name, body, call.ifMatch));
}

async function versions(routes: RoutesFace, call: ListCall, name: string): Promise<Answer> {
  const { cursor, limit = 50 } = call.query;
  const key = cursor === undefined ? String(2 ** 31 - 1) : decodeCursor("route_version", cursor);
  if (key === null || !/^[0-9]{1,10}$/.test(key) || Number(key) >= 2 ** 31) return cursorFailure();
  const found = await routes.versions(actorOf(call), name, Number(key), limit + 1);
  if (found.length === 0 && cursor === undefined) return noRoute();
  return pageOf("route_version", found, limit, ({ version }) => String(version), viewOf);
}

async function withName(call: Call, then: (name: string) => Promise<Answer>): Promise<Answer> {
  const name = call.params["name"] as string;
  return ROUTE_NAME.test(name) ? then(name) : noRoute();
}

function answerOfWritten(outcome: RouteWritten): Answer {
  switch (outcome.kind) {
    case "written":
      return { ...success(viewOf(outcome.row)), headers: { etag: outcome.etag } };
    case "stale":
      return stale(outcome.etag);
    case "invalid":
      return fieldFailure(outcome.details);
    case "too_many":
      return failure("CONFLICT", `A tenant has at most ${outcome.limit} routes in a mode. Delete those not in use.`);
    default:
      return outcome satisfies never;
  }
}

function answerOfRemoved(outcome: RouteRemoved, name: string): Answer {
  switch (outcome.kind) {
    case "removed":
      return success({ name, deleted: true });
    case "absent":
      return noRoute();
    case "stale":
      return stale(outcome.etag);
    default:
      return outcome satisfies never;
  }
}

function stale(etag: string | null): Answer {
  return { ...failure("PRECONDITION_FAILED"), ...(etag === null ? {} : { headers: { etag } }) };
}

function viewOf(row: RouteVersionRow): Record<string, unknown> {
  const { steps, matches, default: otherwise, description = null, owner = null } = row.body;
  return {
    name: row.name,
    version: row.version,
    createdAt: row.created_at.toISOString(),
    createdBy: row.created_by,
    fromConfigVersion: row.from_config_version,
    toConfigVersion: row.to_config_version,
    description,
    owner,
    steps,
    matches,
    default: otherwise,
  };
}

function noRoute(): Answer {
  return failure("NOT_FOUND", "There is no such route. GET /v1/routes lists those that there are in this mode.");
}
