// /healthz and /readyz: for whoever starts and stops processes. No key, no details about tenants.
import type { FastifyInstance } from "fastify";

/** What /readyz tells. */
export interface ReadinessShown {
  readonly isReady: boolean;
  readonly problems: readonly { readonly part: string; readonly message: string }[];
}

/** Adds both routes. 503 on /readyz says what is missing, in words; /healthz only says that the process answers. */
export function addHealthRoutes(app: FastifyInstance, readiness: () => ReadinessShown): void {
  app.get("/healthz", (_request, reply) => reply.header("cache-control", "no-store").send({ status: "ok" }));
  app.get("/readyz", (_request, reply) => {
    const { isReady, problems } = readiness();
    return reply
      .status(isReady ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ status: isReady ? "ready" : "not ready", problems });
  });
}
