// What stands in paths, queries and headers, for the reference. A path parameter is known by the segment before it.
import { z } from "zod";
import type { JsonObject, SchemaCollector } from "./openapi-schemas.ts";
import type { RequestHeader, Route } from "./route-entry.ts";
import { eventTypeName, idSchema, publicEventId } from "./schemas/common.ts";

interface PathParameter {
  readonly schema: z.ZodType;
  readonly description: string;
}

/** By the segment that comes before the parameter; a test wants every one that the table of routes has. */
const IN_PATHS: Readonly<Record<string, PathParameter>> = {
  events: { schema: publicEventId, description: "`evt_…`, or the sender's own id." },
  deliveries: { schema: idSchema("delivery"), description: "The id of the delivery." },
  webhooks: { schema: idSchema("webhook"), description: "The id of the webhook." },
  snapshots: { schema: idSchema("snapshot"), description: "The id of the snapshot." },
  replays: { schema: idSchema("replay"), description: "The id of the bulk replay." },
  tenants: { schema: idSchema("tenant"), description: "The id of the tenant." },
  rules: { schema: z.string().meta({ examples: ["large_order"] }), description: "The name of the rule." },
  "code-tables": { schema: z.string().meta({ examples: ["tax"] }), description: "The name of the code table." },
  routes: { schema: z.string().meta({ examples: ["orders"] }), description: "The name of the route." },
  organisation: { schema: z.string().meta({ examples: ["branch_kl"] }), description: "The id of the entry." },
  companies: { schema: z.string().meta({ examples: ["company_default"] }), description: "The id of the company." },
  "api-keys": { schema: idSchema("apiKey"), description: "The id of the key; not its text." },
  "read-keys": { schema: idSchema("apiKey"), description: "The id of the key; not its text." },
  "oauth-clients": { schema: idSchema("oauthClient"), description: "The id of the program." },
  "oauth-grants": { schema: idSchema("oauthGrant"), description: "The id of what a program was allowed to do." },
  "event-types": { schema: eventTypeName, description: "The name of the event type." },
};

/** Shared components, by header. */
const HEADER_COMPONENTS: Readonly<Record<RequestHeader | "X-Company-Id", { name: string; parameter: JsonObject }>> = {
  "X-Company-Id": {
    name: "CompanyId",
    parameter: {
      name: "X-Company-Id",
      in: "header",
      description: "Picks a company inside the tenant; events published carry it in their `context`.",
      schema: { type: "string", examples: ["company_default"] },
    },
  },
  "Idempotency-Key": {
    name: "IdempotencyKey",
    parameter: {
      name: "Idempotency-Key",
      in: "header",
      description:
        "Your own name for this request. The same key with the same bytes within 24 hours gives the first answer again, with `Idempotency-Replayed: true`. In a batch it holds for each event at its place.",
      schema: { type: "string", minLength: 1, maxLength: 255, pattern: "^[ -~]+$" },
    },
  },
  "If-Match": {
    name: "IfMatch",
    parameter: {
      name: "If-Match",
      in: "header",
      description: "The `ETag` that you read. When the thing has changed since, nothing happens and you get 412.",
      schema: { type: "string" },
    },
  },
};

export const PARAMETER_COMPONENTS: JsonObject = Object.fromEntries(
  Object.values(HEADER_COMPONENTS).map(({ name, parameter }) => [name, parameter]),
);

/** All parameters of a route, path first. */
export function parametersOf(route: Route, schemas: SchemaCollector): JsonObject[] {
  const headers = ["X-Company-Id", ...route.requestHeaders] as const;
  return [
    ...pathParameters(route.path, schemas),
    ...(route.raw || route.query === null ? [] : queryParameters(route.query, schemas)),
    ...headers.map((header) => ({ $ref: `#/components/parameters/${HEADER_COMPONENTS[header].name}` })),
  ];
}

function pathParameters(path: string, schemas: SchemaCollector): JsonObject[] {
  return [...path.matchAll(/([^/]+)\/\{(\w+)\}/g)].map(([, segment, name]) => {
    const known = IN_PATHS[segment as string] ?? { schema: z.string(), description: "" };
    return {
      name,
      in: "path",
      required: true,
      description: known.description,
      schema: schemas.add(known.schema, "input"),
    };
  });
}

function queryParameters(query: z.ZodObject, schemas: SchemaCollector): JsonObject[] {
  const { properties = {}, required = [] } = schemas.add(query, "input") as {
    properties?: Record<string, JsonObject>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => ({
    name,
    in: "query",
    ...(required.includes(name) ? { required: true } : {}),
    ...(description === undefined ? {} : { description }),
    schema,
  }));
}
