// The reference as OpenAPI: what the table of routes says and nothing else. Linters of others: packages/conformance.
import { ERRORS, type ErrorCode } from "@posthorn/contract";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { openApiDocument, operationId } from "../../src/http/openapi.ts";
import { errorCodesOf } from "../../src/http/openapi-errors.ts";
import { collectSchemas } from "../../src/http/openapi-schemas.ts";
import { routesToRead } from "../../src/http/routes.ts";
import { SCOPES } from "../../src/http/scopes.ts";
import { webhookChange, webhookCreation, WEBHOOK_FIELD_HINTS } from "../../src/manage/webhook-fields.ts";

const routes = routesToRead();
// biome-ignore lint/suspicious/noExplicitAny: a document is looked into freely
const document = openApiDocument(routes, "1.2.3") as any;
const text = JSON.stringify(document);
const operations = routes.map((route) => ({
  route,
  name: `${route.method} ${route.path}`,
  operation: document.paths[route.path][route.method.toLowerCase()],
}));

/** A component that a reference names, or the value itself. */
function resolved(value: { $ref?: string }) {
  if (value.$ref === undefined) return value;
  const steps = value.$ref.slice(2).split("/");
  return steps.reduce((part, step) => part[step], document);
}

describe("the document", () => {
  test("has every route of the table and, beside them, only itself", () => {
    const listed = Object.entries<object>(document.paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(listed.sort()).toEqual([...operations.map(({ name }) => name), "GET /openapi.json"].sort());
  });

  test("says the version of the program, the base and how to authenticate", () => {
    expect(document).toMatchObject({ openapi: "3.1.0", info: { version: "1.2.3" }, servers: [{ url: "/v1" }] });
    const { description, scheme } = document.components.securitySchemes.apiKey;
    expect(scheme).toBe("bearer");
    for (const scope of Object.keys(SCOPES)) expect(description).toContain(`\`${scope}\``);
  });

  test("is the same each time, so that a client that kept it is told so", () => {
    expect(JSON.stringify(openApiDocument(routesToRead(), "1.2.3"))).toBe(text);
  });

  test("refers to nothing that is not there, and holds no component that nobody refers to", () => {
    const references = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)].map((m) => `${m[1]}/${m[2]}`),
    );
    const components = Object.entries<object>(document.components)
      .filter(([kind]) => kind !== "securitySchemes")
      .flatMap(([kind, members]) => Object.keys(members).map((name) => `${kind}/${name}`));
    const unused = components.filter((name) => !references.has(name) && !name.startsWith("headers/"));
    expect(unused).toEqual([]);
    expect([...references].filter((name) => !components.includes(name))).toEqual([]);
  });

  test("has no two operations with one id", () => {
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(operationId({ method: "POST", path: "/webhooks/{id}/secret/rotate" })).toBe("postWebhooksByIdSecretRotate");
  });

  test("does not show fields that are not built yet", () => {
    const shown = Object.keys(document.components.schemas.WebhookToCreate.properties);
    expect(shown).toEqual(Object.keys(webhookCreation.shape));
    for (const field of WEBHOOK_FIELD_HINTS.notYet) expect(shown).not.toContain(field);
  });

  test("has a sentence for every field of a webhook, sent or shown", () => {
    const { WebhookToCreate, WebhookChange, Webhook } = document.components.schemas;
    for (const [name, schema] of Object.entries<{ description?: string }>({
      ...WebhookToCreate.properties,
      ...WebhookChange.properties,
    })) {
      expect(schema.description, name).toBeTypeOf("string");
      if (Webhook.properties[name] !== undefined && name !== "active") {
        expect(Webhook.properties[name].description, name).toBe(schema.description);
      }
    }
    expect(Object.keys(webhookChange.shape)).toEqual(Object.keys(webhookCreation.shape));
  });

  test("has examples of publishing and subscribing that its own schemas take", () => {
    const { EventToPublish, WebhookToCreate } = document.components.schemas;
    expect(EventToPublish.examples[0]).toMatchObject({ event: "invoice.paid" });
    expect(webhookCreation.safeParse(WebhookToCreate.examples[0]).success).toBe(true);
  });
});

describe.each(operations)("$name", ({ route, operation }) => {
  test("says scope, tag and every path parameter", () => {
    expect(operation.security).toEqual([{ apiKey: [route.scope] }]);
    expect(document.tags.map((tag: { name: string }) => tag.name)).toContain(operation.tags[0]);
    const inPath = operation.parameters.filter((parameter: { in?: string }) => parameter.in === "path");
    const named = [...route.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]);
    expect(inPath.map((parameter: { name: string }) => parameter.name)).toEqual(named);
    for (const parameter of inPath) expect(parameter.description, "known by openapi-parameters.ts").not.toBe("");
  });

  test("says what it takes in queries and bodies", () => {
    const inQuery = operation.parameters.filter((parameter: { in?: string }) => parameter.in === "query");
    const named = route.raw || route.query === null ? [] : Object.keys(route.query.shape);
    expect(inQuery.map((parameter: { name: string }) => parameter.name)).toEqual(named);
    const types = route.raw ? Object.keys(route.bodies) : route.body === null ? [] : ["application/json"];
    expect(Object.keys(operation.requestBody?.content ?? {})).toEqual(types);
  });

  test("says its success and each of its codes at the right status", () => {
    const { schema } = operation.responses[route.answer.status].content["application/json"];
    expect(schema.required).toContain("data");
    expect(schema.required.includes("pagination")).toBe(route.answer.isList === true);
    for (const code of errorCodesOf(route)) {
      const response = resolved(operation.responses[ERRORS[code].status]) as { description: string };
      expect(response.description).toContain(`\`${code}\``);
    }
  });

  test("names If-Match where it can answer 412, and Idempotency-Key where a key can be used twice", () => {
    const codes: readonly ErrorCode[] = route.errors;
    if (codes.includes("PRECONDITION_FAILED")) expect(route.requestHeaders).toContain("If-Match");
    if (codes.includes("IDEMPOTENCY_KEY_REUSED")) expect(route.requestHeaders).toContain("Idempotency-Key");
    const references = operation.parameters.map((parameter: { $ref?: string }) => parameter.$ref);
    expect(references.includes("#/components/parameters/IfMatch")).toBe(route.requestHeaders.includes("If-Match"));
  });
});

test("every body has an example, and its own schema takes it", () => {
  for (const { name, route, operation } of operations) {
    const schema = operation.requestBody?.content["application/json"].schema;
    if (schema === undefined) continue;
    const { examples } = resolved(schema) as { examples?: unknown[] };
    expect(examples ?? [], name).not.toEqual([]);
    const parser = route.raw ? route.bodies["application/json"] : route.body;
    for (const example of examples ?? []) expect(parser?.safeParse(example), name).toMatchObject({ success: true });
  }
});

test("every code of the table of errors belongs to a route, but the one for methods that no route has", () => {
  const codes = new Set(routes.flatMap(errorCodesOf));
  const elsewhere = Object.keys(ERRORS).filter((code) => !codes.has(code as ErrorCode));
  expect(elsewhere).toEqual(["METHOD_NOT_ALLOWED"]);
});

describe("schemas", () => {
  test("with one name and two meanings are refused", () => {
    const schemas = collectSchemas();
    schemas.add(z.object({ a: z.string() }).meta({ id: "Thing" }), "output");
    schemas.add(z.object({ a: z.string() }).meta({ id: "Other" }), "output");
    expect(() => schemas.add(z.object({ a: z.int() }).meta({ id: "Thing" }), "output")).toThrow(/"Thing"/);
  });

  test("of answers leave room for members to come; strict ones say so", () => {
    const schemas = collectSchemas();
    expect(schemas.add(z.object({ a: z.string() }), "output")).not.toHaveProperty("additionalProperties");
    expect(schemas.add(z.strictObject({ a: z.string() }), "input")).toHaveProperty("additionalProperties", false);
  });
});
