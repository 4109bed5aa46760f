// /healthz and /readyz: for whoever starts and stops processes. No key, no details about tenants.
import type { FastifyInstance } from "fastify";

export interface Readiness {
  /** Accepting requests, that is neither starting nor stopping. */
  readonly isOpen: boolean;
  /** Lease held and configuration confirmed: events are stored and attempts may start. */
  readonly isConnected: boolean;
}

/** Adds both routes. 503 on /readyz says which part is missing; /healthz only says that the process answers. */
export function addHealthRoutes(app: FastifyInstance, readiness: () => Readiness): void {
  app.get("/healthz", (_request, reply) => reply.header("cache-control", "no-store").send({ status: "ok" }));
  app.get("/readyz", (_request, reply) => {
    const { isOpen, isConnected } = readiness();
    const status = isOpen && isConnected ? "ready" : isOpen ? "database away" : "not open";
    return reply
      .status(status === "ready" ? 200 : 503)
      .header("cache-control", "no-store")
      .send({ status });
  });
}
