// /metrics in Prometheus' text format. Whoever asks shows the token of the settings, which works while the database is
// away, or an API key with the scope `operator`. Must never be open to everybody: behind a proxy every caller looks local.
import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance } from "fastify";
import type { Authenticator } from "./authenticate.ts";
import { scopeFailure } from "./permission.ts";
import { hasScope } from "./scopes.ts";
import type { Answering } from "./server.ts";

export interface MetricsOptions {
  /** The text of one scrape. */
  readonly text: () => Promise<string>;
  /** POSTHORN_METRICS_TOKEN. */
  readonly token: string | undefined;
}

const CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";
const BEARER = /^Bearer +(\S+)$/i;

export function addMetricsRoute(
  app: FastifyInstance,
  { text, token }: MetricsOptions,
  authenticator: Authenticator,
  answering: Answering,
): void {
  const tokenDigest = token === undefined ? null : digest(token);
  app.get("/metrics", async (request, reply) => {
    const { authorization } = request.headers;
    const given = BEARER.exec(authorization ?? "")?.[1];
    const isToken = tokenDigest !== null && given !== undefined && timingSafeEqual(digest(given), tokenDigest);
    if (!isToken) {
      const found = await authenticator.authenticate({ authorization, companyId: undefined, ip: request.ip });
      if (!found.ok) return answering.send(request, reply, found.failure);
      if (!hasScope(found.principal.scopes, "operator")) {
        return answering.send(request, reply, scopeFailure("operator", found.principal.scopes));
      }
    }
    return reply
      .header("content-type", CONTENT_TYPE)
      .header("cache-control", "no-store")
      .send(await text());
  });
}

/** Of equal length, whatever was given. */
function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
