// The HTTP face: a Fastify server made from the table of routes. It authenticates, checks permission and input, calls
// the handler and writes the answer in house style. Must never log a body, a key or a header's value.
import type { Socket } from "node:net";
import type { ErrorCode } from "@posthorn/contract";
import { ERRORS } from "@posthorn/contract";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Clock } from "../lib/clock.ts";
import {
  type Answer,
  type AnswerMeta,
  dataJson,
  documentationPath,
  type Failure,
  failure,
  failureBody,
  pageBody,
  successBody,
} from "./answer.ts";
import { COMMON_HEADERS, JSON_TYPE } from "./answer-now.ts";
import type { Authenticator } from "./authenticate.ts";
import { limitClosing } from "./close-connections.ts";
import { failureOfThrown } from "./failures-thrown.ts";
import { addMetricsRoute, type MetricsOptions } from "./metrics.ts";
import { takePastFastify } from "./past-fastify.ts";
import { BASES, registerRoutes } from "./register-routes.ts";
import type { Route } from "./route-entry.ts";

/** The part of a pino logger that is used here. */
export interface HttpLog {
  isLevelEnabled(level: string): boolean;
  debug(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface HttpServerOptions {
  readonly routes: readonly Route[];
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  /** Mints `req_…`. */
  readonly newRequestId: () => string;
  readonly log: HttpLog;
  /** Where an error code is explained; by default a path on this server. */
  readonly documentationUrl?: (code: ErrorCode) => string;
  /** Addresses or CIDR ranges whose X-Forwarded-For is believed; nobody's by default. */
  readonly trustedProxies?: readonly string[];
  /** What stands behind /metrics; without it there is none. */
  readonly metrics?: MetricsOptions;
  /** Of the program, for the reference. */
  readonly version?: string;
  /** For tests of slow senders; milliseconds. */
  readonly timeouts?: { readonly headersMs: number; readonly requestMs: number; readonly checkMs: number };
}

/** How answers are written; shared by ordinary routes, refusals and errors. */
export interface Answering {
  send(request: FastifyRequest, reply: FastifyReply, answer: Answer): FastifyReply;
  sendThrown(request: FastifyRequest, reply: FastifyReply, error: unknown): FastifyReply;
  /** A failure's status and body as text, for raw handlers and answerNow. */
  failureText(refusal: Failure, requestId: string): { readonly status: number; readonly body: string };
}

const ORDINARY_BODY_LIMIT_BYTES = 1024 * 1024;
const TIMEOUTS = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 };
/** A sender's own id has up to 64 characters; nothing longer is anybody's id. */
const MAX_PARAM_LENGTH = 128;

/** Builds the server; the caller listens and closes. */
export function createHttpServer(options: HttpServerOptions): FastifyInstance {
  const timeouts = options.timeouts ?? TIMEOUTS;
  const answering = makeAnswering(options);
  const app = fastify({
    logger: false,
    genReqId: () => options.newRequestId(),
    trustProxy: options.trustedProxies === undefined ? false : [...options.trustedProxies],
    bodyLimit: ORDINARY_BODY_LIMIT_BYTES,
    requestTimeout: timeouts.requestMs,
    http: { headersTimeout: timeouts.headersMs, connectionsCheckingInterval: timeouts.checkMs },
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH },
    clientErrorHandler: (error, socket) => answerClientError(options, error, socket),
    // A path that cannot be decoded, or with a parameter beyond all measure: before there is a route.
    frameworkErrors: (error, request, reply) => void answering.sendThrown(request, reply, error),
  });
  // Every body arrives as bytes; what type a route takes is decided in one place, request-head.ts.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  app.setErrorHandler((error, request, reply) => answering.sendThrown(request, reply, error));
  app.setNotFoundHandler((request, reply) => {
    const path = request.url.split("?", 1)[0]?.slice(0, 200);
    return answering.send(request, reply, failure("NOT_FOUND", `There is nothing at ${path}. The API begins at /v1.`));
  });
  logRequests(app, options.log);
  takePastFastify(app, BASES, options, answering);
  limitClosing(app);
  registerRoutes(app, options, answering);
  if (options.metrics !== undefined) addMetricsRoute(app, options.metrics, options.authenticator, answering);
  return app;
}

function makeAnswering(options: HttpServerOptions): Answering {
  const documentationOf = options.documentationUrl ?? documentationPath;
  const metaOf = (requestId: string): AnswerMeta => ({ requestId, nowMs: options.clock.nowMs() });
  const answering: Answering = {
    send(request, reply, answer) {
      reply.headers({ ...COMMON_HEADERS, "content-type": JSON_TYPE, "x-request-id": request.id });
      const meta = metaOf(request.id);
      switch (answer.kind) {
        case "success":
          if (answer.headers !== undefined) reply.headers(answer.headers);
          return reply.status(answer.status).send(successBody(dataJson(answer), meta));
        case "page":
          return reply.status(200).send(pageBody(answer, meta));
        case "failure":
          if (answer.headers !== undefined) reply.headers(answer.headers);
          return reply.status(ERRORS[answer.code].status).send(failureBody(answer, meta, documentationOf(answer.code)));
        default:
          return answer satisfies never;
      }
    },
    sendThrown(request, reply, error) {
      const refusal = failureOfThrown(error, request.method !== "GET" && request.method !== "HEAD");
      if (refusal.code === "INTERNAL") {
        options.log.error({ err: error, requestId: request.id, path: request.routeOptions.url }, "request failed");
      }
      return answering.send(request, reply, refusal);
    },
    failureText(refusal, requestId) {
      const body = failureBody(refusal, metaOf(requestId), documentationOf(refusal.code));
      return { status: ERRORS[refusal.code].status, body };
    },
  };
  return answering;
}

/** One wide line per request; no hook at all where nobody would read it, because capture pays for it. */
function logRequests(app: FastifyInstance, log: HttpLog): void {
  if (!log.isLevelEnabled("debug")) return;
  app.addHook("onResponse", (request, reply, done) => {
    log.debug(
      {
        requestId: request.id,
        method: request.method,
        route: request.routeOptions.url,
        status: reply.raw.statusCode,
        durationMs: Math.round(reply.elapsedTime * 10) / 10,
        ip: request.ip,
      },
      "request",
    );
    done();
  });
}

/** What Node refuses before there is a request: too slow, too large, not HTTP. The connection ends with it. */
function answerClientError(options: HttpServerOptions, error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const code = clientErrorCode(error.code);
  const documentation = (options.documentationUrl ?? documentationPath)(code);
  const meta = { requestId: options.newRequestId(), nowMs: options.clock.nowMs() };
  const body = failureBody(failure(code), meta, documentation);
  const { status } = ERRORS[code];
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: ${JSON_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nx-content-type-options: nosniff\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
}

function clientErrorCode(code: string | undefined): "REQUEST_TIMEOUT" | "HEADERS_TOO_LARGE" | "INVALID_REQUEST" {
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") return "REQUEST_TIMEOUT";
  return code === "HPE_HEADER_OVERFLOW" ? "HEADERS_TOO_LARGE" : "INVALID_REQUEST";
}
