// Which error codes a route can answer with, and how they are written in the reference: one response for each status.
// The test that calls every route holds this against what really comes.
import { ERRORS, type ErrorCode } from "@posthorn/contract";
import type { JsonObject } from "./openapi-schemas.ts";
import type { Route } from "./route-entry.ts";

/** Whatever the route, before or around it. 405 is not among them: it answers methods that the path does not have. */
const ALWAYS: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "UNAUTHORIZED",
  "FORBIDDEN",
  "REQUEST_TIMEOUT",
  "BODY_TOO_LARGE",
  "UNSUPPORTED_MEDIA_TYPE",
  "HEADERS_TOO_LARGE",
  "INTERNAL",
  "DATABASE_UNAVAILABLE",
];
const OF_QUERIES: readonly ErrorCode[] = ["UNKNOWN_FIELD", "WRONG_TYPE", "VALIDATION_ERROR"];
const OF_BODIES: readonly ErrorCode[] = [
  "INVALID_JSON",
  "INVALID_UTF8",
  "JSON_TOO_DEEP",
  "UNKNOWN_FIELD",
  "WRONG_TYPE",
  "MISSING_MEMBER",
  "VALIDATION_ERROR",
];

/** Every code that the route can answer with, in the order of the table of errors. */
export function errorCodesOf(route: Route): ErrorCode[] {
  const codes = new Set<ErrorCode>([...ALWAYS, ...route.errors]);
  const add = (more: readonly ErrorCode[]): void => more.forEach((code) => codes.add(code));
  if (route.path.includes("{")) add(["NOT_FOUND"]);
  if (route.method !== "GET") add(["OUTCOME_UNKNOWN"]);
  if (!route.raw) {
    add(OF_QUERIES);
    if (route.method !== "GET") add(OF_BODIES);
    if (route.body !== null && !route.bodyOptional) add(["EMPTY_BODY"]);
    if (route.hints.notYet !== undefined) add(["FIELD_NOT_AVAILABLE_YET"]);
    if (route.hints.readOnly !== undefined) add(["READ_ONLY_FIELD"]);
  }
  return (Object.keys(ERRORS) as ErrorCode[]).filter((code) => codes.has(code));
}

const HEADERS_OF: Readonly<Record<number, readonly string[]>> = {
  401: ["WWW-Authenticate"],
  412: ["ETag"],
  429: ["Retry-After"],
  503: ["Retry-After"],
};

/** The failure responses of a route by status. A status with one code is a component that all routes share. */
export function errorResponses(route: Route, failure: JsonObject, shared: Map<string, JsonObject>): JsonObject {
  const byStatus = new Map<number, ErrorCode[]>();
  for (const code of errorCodesOf(route)) {
    const { status } = ERRORS[code];
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses = [...byStatus]
    .sort(([a], [b]) => a - b)
    .map(([status, codes]) => {
      const response = errorResponse(status, codes, failure);
      const [first] = codes;
      if (codes.length > 1 || first === undefined) return [String(status), response];
      shared.set(first, response);
      return [String(status), { $ref: `#/components/responses/${first}` }];
    });
  return Object.fromEntries(responses) as JsonObject;
}

function errorResponse(status: number, codes: readonly ErrorCode[], failure: JsonObject): JsonObject {
  const headers = ["X-Request-Id", ...(HEADERS_OF[status] ?? [])];
  const lines = codes.map((code) => `- \`${code}\`: ${ERRORS[code].message}`);
  const code = { enum: codes };
  const narrowed = { properties: { error: { properties: { code } } } };
  return {
    description: codes.length === 1 ? `\`${codes[0]}\`: ${ERRORS[codes[0] as ErrorCode].message}` : lines.join("\n"),
    headers: Object.fromEntries(headers.map((name) => [name, { $ref: `#/components/headers/${name}` }])),
    content: { "application/json": { schema: { allOf: [failure, narrowed] } } },
  };
}
