// Puts the table of routes into Fastify, under /v1 and /api/v1 alike: authentication and permission before the body is
// read, then validation, then the handler. Must not allocate on the way of a raw request beyond what it hands over.
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { type Failure, failure } from "./answer.ts";
import type { Authentication, Credentials } from "./authenticate.ts";
import { readJsonBody } from "./json-body.ts";
import type { Principal } from "./principal.ts";
import { declaredLength, refusedByHead } from "./request-head.ts";
import type { Call, OrdinaryRoute, RawRoute, Route } from "./route-entry.ts";
import { hasScope } from "./scopes.ts";
import type { Answering, HttpServerOptions } from "./server.ts";
import { validate } from "./validation.ts";

const BASES = ["/v1", "/api/v1"];
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
const JSON_ONLY = ["application/json"];
const EMPTY_BODY = Buffer.alloc(0);

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
        handler: route.raw ? rawHandler(route) : ordinaryHandler(route, answering),
        ...(route.raw ? { bodyLimit: route.bodyLimitBytes } : {}),
      });
    }
    refuseOtherMethods(app, base, options.routes, answering);
  }
}

/** Lets a request in, or answers it: 401, 403, 415, and whatever a raw route refuses by length. */
function gate(route: Route, { authenticator }: HttpServerOptions, answering: Answering) {
  const contentTypes = route.raw ? route.contentTypes : JSON_ONLY;
  const enter = (request: FastifyRequest, reply: FastifyReply, who: Authentication, done: () => void): void => {
    const refusal = who.ok ? refusalFor(route, contentTypes, who.principal, request, reply) : who.failure;
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

function refusalFor(
  route: Route,
  contentTypes: readonly string[],
  principal: Principal,
  request: FastifyRequest,
  reply: FastifyReply,
): Failure | null {
  if (!hasScope(principal.scopes, route.scope)) return scopeFailure(route, principal);
  const refusal = refusedByHead(request.headers, contentTypes);
  if (refusal !== null || !route.raw || route.admit === null) return refusal;
  return route.admit(principal, declaredLength(request.headers), reply);
}

function scopeFailure(route: Route, principal: Principal) {
  const message = `This needs a key with the scope ${route.scope}.`;
  const detail = {
    message,
    code: "INSUFFICIENT_SCOPE",
    required_scope: route.scope,
    current_scopes: principal.scopes,
  };
  return failure("FORBIDDEN", message, [detail]);
}

function rawHandler(route: RawRoute) {
  return (request: FastifyRequest, reply: FastifyReply): void | Promise<void> => {
    const body = (request.body as Buffer | undefined) ?? EMPTY_BODY;
    return route.handle((request as KnownRequest).principal, body, request, reply);
  };
}

function ordinaryHandler(route: OrdinaryRoute, answering: Answering) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    const query = route.query === null ? undefined : validate(route.query, request.query);
    if (query?.ok === false) return answering.send(request, reply, query.failure);
    const body = readBody(route, request);
    if (!body.ok) return answering.send(request, reply, body.failure);
    const call: Call = {
      principal: (request as KnownRequest).principal,
      params: request.params as Record<string, string>,
      query: query?.value,
      body: body.value,
      ifMatch: request.headers["if-match"],
      requestId: request.id,
    };
    return answering.send(request, reply, await route.handle(call));
  };
}

function readBody(route: OrdinaryRoute, request: FastifyRequest) {
  if (route.body === null) return { ok: true, value: undefined } as const;
  const json = readJsonBody(request.body as Buffer | undefined, route.bodyOptional);
  return json.ok ? validate(route.body, json.value, route.hints) : json;
}

/** 405 with `Allow` for every path of the table; a path without any route is a 404. */
function refuseOtherMethods(app: FastifyInstance, base: string, routes: readonly Route[], answering: Answering): void {
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
