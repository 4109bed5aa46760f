// The reference as OpenAPI 3.1, made from the table of routes. What the table does not say is not in it; the test that
// calls every route holds the answers against it.
import { TAGS } from "./route-entry.ts";
import type { AnswerHeader, AnswerShape, Route } from "./route-entry.ts";
import { errorResponses } from "./openapi-errors.ts";
import { PARAMETER_COMPONENTS, parametersOf } from "./openapi-parameters.ts";
import { collectSchemas, type JsonObject, type SchemaCollector } from "./openapi-schemas.ts";
import { failureSchema, metaSchema, paginationSchema } from "./schemas/envelope.ts";
import { SCOPES } from "./scopes.ts";

const DESCRIPTION = `Publish business events, and manage the webhooks that hear of them.

Every request carries \`Authorization: Bearer <api key>\`. Answers are \`{ "success": true, "data", "meta" }\`, lists add
\`pagination\`: give \`pagination.nextCursor\` back as \`?cursor=\` for the next page. Failures are
\`{ "success": false, "error": { "code", "message", "details", … }, "meta" }\`; decide by \`error.code\`. Unknown fields
and parameters are refused by name. \`/api/v1\` answers the same as \`/v1\`.`;

const SCHEME = "apiKey";

/** @param version of the program */
export function openApiDocument(routes: readonly Route[], version: string): JsonObject {
  const schemas = collectSchemas();
  const failure = schemas.add(failureSchema, "output");
  const sharedResponses = new Map<string, JsonObject>();
  const paths: Record<string, Record<string, JsonObject>> = {};
  for (const route of routes) {
    const operations = (paths[route.path] ??= {});
    operations[route.method.toLowerCase()] = operationOf(route, schemas, failure, sharedResponses);
  }
  const used = new Set(routes.map((route) => route.tag));
  return {
    openapi: "3.1.0",
    info: {
      title: "Posthorn",
      version,
      summary: "BigLedger's Webhook Applet.",
      description: DESCRIPTION,
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/v1", description: "This node." }],
    externalDocs: { url: "/docs", description: "Guides and reference." },
    security: [{ [SCHEME]: [] }],
    tags: Object.entries(TAGS)
      .filter(([name]) => name === "About" || used.has(name as Route["tag"]))
      .map(([name, description]) => ({ name, description })),
    paths: { ...paths, "/openapi.json": { get: ITSELF } },
    components: {
      securitySchemes: { [SCHEME]: securityScheme() },
      parameters: PARAMETER_COMPONENTS,
      headers: HEADER_COMPONENTS,
      responses: Object.fromEntries([...sharedResponses].sort(([a], [b]) => (a < b ? -1 : 1))),
      schemas: schemas.components(),
    },
  };
}

function operationOf(
  route: Route,
  schemas: SchemaCollector,
  failure: JsonObject,
  sharedResponses: Map<string, JsonObject>,
): JsonObject {
  const body = requestBody(route, schemas);
  return {
    operationId: operationId(route),
    tags: [route.tag],
    summary: route.summary,
    description: `Needs a key with the scope \`${route.scope}\`.`,
    security: [{ [SCHEME]: [route.scope] }],
    parameters: parametersOf(route, schemas),
    ...(body === null ? {} : { requestBody: body }),
    responses: {
      [route.answer.status]: successResponse(route.answer, schemas),
      ...errorResponses(route, failure, sharedResponses),
    },
  };
}

/** `getWebhooks`, `postWebhooksByIdSecretRotate`. */
export function operationId(route: Pick<Route, "method" | "path">): string {
  const words = route.path.split("/").flatMap((segment) => {
    const parameter = /^\{(\w+)\}$/.exec(segment)?.[1];
    return parameter === undefined ? segment.split("-") : ["by", parameter];
  });
  return route.method.toLowerCase() + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join("");
}

function requestBody(route: Route, schemas: SchemaCollector): JsonObject | null {
  if (route.raw) {
    const content = Object.entries(route.bodies).map(([type, schema]) => [
      type,
      { schema: schemas.add(schema, "input") },
    ]);
    return { required: true, content: Object.fromEntries(content) };
  }
  if (route.body === null) return null;
  const schema = schemas.add(route.body, "input");
  return { required: !route.bodyOptional, content: { "application/json": { schema } } };
}

function successResponse(answer: AnswerShape, schemas: SchemaCollector): JsonObject {
  const data = schemas.add(answer.data, "output");
  const isList = answer.isList === true;
  const properties = {
    success: { const: true },
    data: isList ? { type: "array", items: data } : data,
    ...(isList ? { pagination: schemas.add(paginationSchema, "output") } : {}),
    meta: schemas.add(metaSchema, "output"),
  };
  const headers: readonly (AnswerHeader | "X-Request-Id")[] = ["X-Request-Id", ...(answer.headers ?? [])];
  return {
    description: DESCRIPTION_OF[answer.status],
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: { "application/json": { schema: { type: "object", properties, required: Object.keys(properties) } } },
  };
}

const DESCRIPTION_OF: Readonly<Record<AnswerShape["status"], string>> = {
  200: "As it is now.",
  201: "Created.",
  202: "Stored; what follows happens on its own.",
};

const text = (description: string): JsonObject => ({ description, schema: { type: "string" } });

const HEADER_COMPONENTS: JsonObject = {
  "X-Request-Id": text("Names this request; it is in the body too."),
  ETag: text("The state of the thing, for `If-Match`."),
  Location: text("Where the new thing is."),
  "Idempotency-Replayed": text("`true` when this is the answer to an earlier request with the same key."),
  "Retry-After": { description: "Seconds to wait.", schema: { type: "integer", minimum: 0 } },
  "WWW-Authenticate": text("How to authenticate."),
};

function securityScheme(): JsonObject {
  const scopes = Object.entries(SCOPES).map(([scope, meaning]) => `- \`${scope}\`: ${meaning}`);
  return {
    type: "http",
    scheme: "bearer",
    description: `An API key, such as \`blg_live_sk_…\` (keys of \`blg_test_sk_…\` see the sandbox), or an access token, \`blg_oauth_at_…\`, which a program gets by OAuth 2.0 (\`/.well-known/oauth-authorization-server\`). Scopes:\n\n${scopes.join("\n")}`,
  };
}

/** The document's own path is served beside the table: it needs no key and has no envelope. */
const ITSELF: JsonObject = {
  operationId: "getOpenapi",
  tags: ["About"],
  summary: "This document.",
  description: "Needs no key.",
  security: [],
  responses: {
    "200": {
      description: "OpenAPI 3.1.",
      headers: { ETag: { $ref: "#/components/headers/ETag" } },
      content: { "application/json": { schema: { type: "object" } } },
    },
    "304": { description: "It is the one that `If-None-Match` names." },
    "400": { $ref: "#/components/responses/INVALID_REQUEST" },
  },
};
