// Puts the table of routes into Fastify, under /v1 and /api/v1 alike: authentication and permission before the body is
// read, then validation, then the handler. Must not allocate on the way of a raw request beyond what it hands over.
import type { IncomingHttpHeaders, ServerResponse } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import { type Failure, failure } from "./answer.ts";
import type { Authentication, Credentials } from "./authenticate.ts";
import { refusedParams, refusedTexts } from "./input-texts.ts";
import { readJsonBody } from "./json-body.ts";
import { addOpenApiRoutes, OPENAPI_ROUTE } from "./openapi-routes.ts";
import { refusedByPermission } from "./permission.ts";
import type { Principal } from "./principal.ts";
import type { RawCall } from "./raw-call.ts";
import { declaredLength, refusedByHead } from "./request-head.ts";
import type { Call, OrdinaryRoute, RawRoute, Route } from "./route-entry.ts";
import type { Answering, HttpServerOptions } from "./server.ts";
import { validate } from "./validation.ts";

/** Where the API begins; the second is how the published contract writes it. */
export const BASES = ["/v1", "/api/v1"];
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"] as const;
const JSON_ONLY = ["application/json"];
const EMPTY_BODY = Buffer.alloc(0);
/** The query or body of a route that takes none: what is given there all the same is refused by name. */
const NOTHING = z.strictObject({});

/** A request that has been let in. */
interface KnownRequest extends FastifyRequest {
  principal: Principal;
}

export function registerRoutes(app: FastifyInstance, options: HttpServerOptions, answering: Answering): void {
  app.decorateRequest("principal", null);
  for (const base of BASES) {
    for (const route of options.routes) {
      app.route({
        method: route.method,
        url: base + fastifyPath(route.path),
        onRequest: gate(route, options, answering),
        handler: route.raw ? rawHandler(route, answering) : ordinaryHandler(route, answering),
        ...(route.raw ? { bodyLimit: route.bodyLimitBytes } : {}),
      });
    }
    refuseOtherMethods(app, base, [...options.routes, OPENAPI_ROUTE], answering);
  }
  addOpenApiRoutes(app, BASES, options.routes, options.version ?? "");
}

/** Lets a request in, or answers it: 401, 403, 415, and whatever a raw route refuses by length. */
function gate(route: Route, { authenticator }: HttpServerOptions, answering: Answering) {
  const contentTypes = route.raw ? route.contentTypes : JSON_ONLY;
  const enter = (request: FastifyRequest, reply: FastifyReply, who: Authentication, done: () => void): void => {
    const refusal = who.ok
      ? refusalFor(
          route,
          contentTypes,
          who.principal,
          request.params as Record<string, string>,
          request.headers,
          reply.raw,
        )
      : who.failure;
    if (refusal !== null) {
      answering.send(request, reply, refusal);
      return;
    }
    (request as KnownRequest).principal = (who as { principal: Principal }).principal;
    done();
  };
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    const credentials = credentialsOf(request);
    const known = authenticator.authenticateNow(credentials);
    if (known !== undefined) {
      enter(request, reply, known, done);
      return;
    }
    authenticator.authenticate(credentials).then((who) => enter(request, reply, who, done), done);
  };
}

function credentialsOf(request: FastifyRequest): Credentials {
  const { authorization } = request.headers;
  const companyId = request.headers["x-company-id"] as string | undefined;
  return { authorization, companyId, ip: request.ip };
}

/** What a known sender's request is refused for before its body is read; null lets it in. */
export function refusalFor(
  route: Route,
  contentTypes: readonly string[],
  principal: Principal,
  params: Readonly<Record<string, string>>,
  headers: IncomingHttpHeaders,
  response: ServerResponse,
): Failure | null {
  const refusal = refusedByPermission(route, principal, params) ?? refusedByHead(headers, contentTypes);
  if (refusal !== null || !route.raw || route.admit === null) return refusal;
  return route.admit(principal, declaredLength(headers), response);
}

function rawHandler(route: RawRoute, answering: Answering) {
  return (request: FastifyRequest, reply: FastifyReply): void => {
    const body = (request.body as Buffer | undefined) ?? EMPTY_BODY;
    const call: RawCall = {
      headers: request.headers,
      requestId: request.id,
      begin() {
        reply.hijack();
        return reply.raw;
      },
      fail(error) {
        if (!reply.raw.headersSent) answering.sendThrown(request, reply, error);
      },
    };
    // The promise is kept from Fastify: it may settle before the answer, and Fastify would answer then.
    route.handle((request as KnownRequest).principal, body, call)?.catch((error: unknown) => call.fail(error));
  };
}

function ordinaryHandler(route: OrdinaryRoute, answering: Answering) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const params = request.params as Record<string, string>;
    const refusal = refusedPrecondition(route, request) ?? refusedParams(params) ?? refusedTexts(request.query);
    if (refusal !== null) return answering.send(request, reply, refusal);
    const query = validate(route.query ?? NOTHING, request.query);
    if (!query.ok) return answering.send(request, reply, query.failure);
    const body = readBody(route, request);
    if (!body.ok) return answering.send(request, reply, body.failure);
    const call: Call = {
      principal: (request as KnownRequest).principal,
      params,
      query: query.value,
      body: body.value,
      rawBody: request.body as Buffer | undefined,
      ifMatch: request.headers["if-match"],
      requestId: request.id,
    };
    return answering.send(request, reply, await route.handle(call));
  };
}

/** A condition that is passed over is worse than one that is refused: who sent it relies on it (RFC 9110, 13.1.1). */
function refusedPrecondition(route: OrdinaryRoute, request: FastifyRequest): Failure | null {
  const ifMatch = request.headers["if-match"];
  if (ifMatch === undefined || ifMatch.trim() === "*" || route.method === "GET") return null;
  if (route.requestHeaders.includes("If-Match")) return null;
  return failure("INVALID_REQUEST", "This route knows no If-Match: what it changes has no ETag. Leave the header out.");
}

function readBody(route: OrdinaryRoute, request: FastifyRequest) {
  // What a GET may carry has no meaning (RFC 9110, section 9.3.1). Elsewhere a body that nobody reads is a mistake.
  if (route.body === null && route.method === "GET") return { ok: true, value: undefined } as const;
  const json = readJsonBody(request.body as Buffer | undefined, route.bodyOptional || route.body === null);
  if (!json.ok) return json;
  const refusal = refusedTexts(json.value);
  return refusal === null
    ? validate(route.body ?? NOTHING, json.value, route.hints)
    : ({ ok: false, failure: refusal } as const);
}

/** 405 with `Allow` for every path of the table; a path without any route is a 404. */
function refuseOtherMethods(
  app: FastifyInstance,
  base: string,
  routes: readonly Pick<Route, "method" | "path">[],
  answering: Answering,
): void {
  const allowedByPath = new Map<string, Set<string>>();
  for (const route of routes) {
    const allowed = allowedByPath.get(route.path) ?? new Set<string>();
    allowed.add(route.method);
    if (route.method === "GET") allowed.add("HEAD");
    allowedByPath.set(route.path, allowed);
  }
  for (const [path, allowed] of allowedByPath) {
    const others = METHODS.filter((method) => !allowed.has(method));
    const allow = [...allowed].join(", ");
    const refusal = { ...failure("METHOD_NOT_ALLOWED", `This path answers ${allow}.`), headers: { allow } };
    app.route({
      method: [...others],
      url: base + fastifyPath(path),
      // Before the body is read: its type and size do not matter.
      onRequest: (request, reply, _done) => void answering.send(request, reply, refusal),
      handler: (request, reply) => answering.send(request, reply, refusal),
    });
  }
}

function fastifyPath(path: string): string {
  return path.replaceAll(/\{(\w+)\}/g, ":$1");
}
