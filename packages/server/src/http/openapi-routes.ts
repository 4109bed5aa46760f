// GET /v1/openapi.json: the reference, without a key, made at the first request and kept.
// Beside the table of routes, because its answer is the document itself, in no envelope.
import { createHash } from "node:crypto";
import type { FastifyInstance } from "fastify";
import { COMMON_HEADERS, JSON_TYPE } from "./answer-now.ts";
import { openApiDocument } from "./openapi.ts";
import type { Route } from "./route-entry.ts";

interface Kept {
  readonly body: string;
  readonly etag: string;
}

export const OPENAPI_ROUTE = { method: "GET", path: "/openapi.json" } as const;

/** Adds the document under every base. Clients may keep it and ask with If-None-Match. */
export function addOpenApiRoutes(
  app: FastifyInstance,
  bases: readonly string[],
  routes: readonly Route[],
  version: string,
): void {
  let kept: Kept | undefined;
  for (const base of bases) {
    app.get(base + OPENAPI_ROUTE.path, (request, reply) => {
      kept ??= make(routes, version);
      reply.headers({
        ...COMMON_HEADERS,
        "cache-control": "public, no-cache",
        // A reference that is rendered on another site reads it from there.
        "access-control-allow-origin": "*",
        etag: kept.etag,
      });
      const known = request.headers["if-none-match"]?.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
      if (known?.includes(kept.etag) || known?.includes("*")) return reply.status(304).send();
      return reply.header("content-type", JSON_TYPE).send(kept.body);
    });
  }
}

function make(routes: readonly Route[], version: string): Kept {
  const body = JSON.stringify(openApiDocument(routes, version));
  return { body, etag: `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"` };
}
