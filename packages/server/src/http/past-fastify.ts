// The way of raw requests past Fastify: found by method and path, let in, their bytes read, handed over. Fastify's hooks,
// parsers and replies were a fifth of what a small event cost. What is not plain (a query, a chunked body, a key that has
// to be looked up, a body that is too long) goes Fastify's way, where the same route stands. Must refuse as that way does.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { FastifyInstance } from "fastify";
import { answerNow } from "./answer-now.ts";
import { failureOfThrown } from "./failures-thrown.ts";
import type { RawCall } from "./raw-call.ts";
import { refusalFor } from "./register-routes.ts";
import type { RawRoute } from "./route-entry.ts";
import type { Answering, HttpServerOptions } from "./server.ts";

type Listener = (request: IncomingMessage, response: ServerResponse) => void;

const EMPTY_BODY = Buffer.alloc(0);
const NO_PARAMS: Readonly<Record<string, string>> = {};
/** A body that is this small a part of what came with it does not keep the rest in memory. */
const COPIED_BELOW_SHARE = 4;
const MAX_KEPT_BYTES = 16 * 1024;

/** Called before anybody else listens for requests. */
export function takePastFastify(
  app: FastifyInstance,
  bases: readonly string[],
  options: HttpServerOptions,
  answering: Answering,
): void {
  // The line for each request is written by a hook.
  if (options.log.isLevelEnabled("debug")) return;
  const [throughFastify] = app.server.listeners("request") as Listener[];
  if (throughFastify === undefined) return;
  const routes = new Map<string, RawRoute>();
  for (const route of options.routes) {
    if (route.raw) for (const base of bases) routes.set(`${route.method} ${base}${route.path}`, route);
  }
  app.server.removeListener("request", throughFastify);
  app.server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const route = routes.get(`${request.method} ${request.url}`);
    if (route === undefined || !take(route, request, response, options, answering)) throughFastify(request, response);
  });
}

/** False when the request has to go the other way; nothing is changed then. */
function take(
  route: RawRoute,
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpServerOptions,
  answering: Answering,
): boolean {
  const { headers } = request;
  const length = headers["content-length"];
  if (length === undefined || headers["transfer-encoding"] !== undefined) return false;
  const byteLength = Number(length);
  if (!(byteLength <= route.bodyLimitBytes)) return false;
  if (options.trustedProxies !== undefined && headers["x-forwarded-for"] !== undefined) return false;
  const who = options.authenticator.authenticateNow({
    authorization: headers.authorization,
    companyId: headers["x-company-id"] as string | undefined,
    ip: request.socket.remoteAddress ?? "",
  });
  if (who === undefined) return false;
  const call = new DirectCall(request, response, options, answering);
  const refusal = who.ok
    ? refusalFor(route, route.contentTypes, who.principal, NO_PARAMS, headers, response)
    : who.failure;
  if (refusal !== null || !who.ok) {
    if (refusal !== null) call.refuse(refusal);
    return true;
  }
  const { principal } = who;
  let body: Buffer = EMPTY_BODY;
  let further: Buffer[] | undefined;
  request.on("data", (chunk: Buffer) => {
    if (further !== undefined) further.push(chunk);
    else if (chunk.byteLength === byteLength) body = keepable(chunk);
    else further = [chunk];
  });
  request.on("end", () => {
    try {
      const handled = route.handle(principal, further === undefined ? body : Buffer.concat(further), call);
      handled?.catch((error: unknown) => call.fail(error));
    } catch (error) {
      call.fail(error);
    }
  });
  return true;
}

/** The chunk, or a copy where it would keep much more in memory than itself. */
function keepable(chunk: Buffer): Buffer {
  const held = chunk.buffer.byteLength;
  return held > MAX_KEPT_BYTES && chunk.byteLength * COPIED_BELOW_SHARE < held ? Buffer.from(chunk) : chunk;
}

class DirectCall implements RawCall {
  readonly requestId: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: HttpServerOptions;
  readonly #answering: Answering;

  constructor(request: IncomingMessage, response: ServerResponse, options: HttpServerOptions, answering: Answering) {
    this.requestId = options.newRequestId();
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.#answering = answering;
  }

  get headers(): IncomingMessage["headers"] {
    return this.#request.headers;
  }

  begin(): ServerResponse {
    return this.#response;
  }

  refuse(refusal: Parameters<Answering["failureText"]>[0]): void {
    const { status, body } = this.#answering.failureText(refusal, this.requestId);
    answerNow(this, status, body, Object.entries(refusal.headers ?? {}).flat());
  }

  fail(error: unknown): void {
    if (this.#response.headersSent) return;
    const refusal = failureOfThrown(error, true);
    if (refusal.code === "INTERNAL") {
      this.#options.log.error({ err: error, requestId: this.requestId, path: this.#request.url }, "request failed");
    }
    this.refuse(refusal);
  }
}
