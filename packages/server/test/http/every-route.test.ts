// Every entry of the table of routes against a real node: its success is what it declares, to the last member, and it
// lets nobody in without a key or without the scope that it names.
import { ERRORS } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { z } from "zod";
import { errorCodesOf } from "../../src/http/openapi-errors.ts";
import type { Method, Route } from "../../src/http/route-entry.ts";
import { routesToRead } from "../../src/http/routes.ts";
import { failureSchema, metaSchema, paginationSchema } from "../../src/http/schemas/envelope.ts";
import { SCOPES } from "../../src/http/scopes.ts";
import { type ApiAnswer, callApi, TEST_API_KEY } from "../support/node.ts";
import { SCENARIOS } from "./every-route/scenarios.ts";
import { openWorld, type Request, type World } from "./every-route/world.ts";

const routes = routesToRead();
const nameOf = (route: Route): string => `${route.method} ${route.path}`;
let world: World;

beforeAll(async () => {
  world = await openWorld();
});
afterAll(() => world?.stop());

/** Parsing leaves out members that the schema does not know: what is left has to be what came. */
function expectExactly(schema: z.ZodType, value: unknown): void {
  expect(schema.parse(value)).toEqual(value);
}

function expectSuccess(route: Route, answer: ApiAnswer): void {
  expect(answer.body.error).toBeUndefined();
  expect(answer.status).toBe(route.answer.status);
  const { success, data, meta, pagination, ...rest } = answer.body;
  expect({ success, rest }).toEqual({ success: true, rest: {} });
  expectExactly(metaSchema, meta);
  if (route.answer.isList === true) {
    expect(data.length, "an empty list shows nothing").toBeGreaterThan(0);
    for (const element of data) expectExactly(route.answer.data, element);
    expectExactly(paginationSchema, pagination);
  } else {
    expectExactly(route.answer.data, data);
    expect(pagination).toBeUndefined();
  }
}

/** In house style, and with a code that the reference names for this route. */
function expectFailure(route: Route, answer: ApiAnswer, status: number): void {
  expect(answer.status).toBe(status);
  expectExactly(failureSchema, answer.body);
  const { code } = answer.body.error as { code: keyof typeof ERRORS };
  expect(ERRORS[code].status).toBe(status);
  expect(errorCodesOf(route)).toContain(code);
}

/** A path of the route for which nothing has to be there. */
const anyPath = (route: Route): string => `/v1${route.path.replaceAll(/\{\w+\}/g, "nothing")}`;
const anyBody = (method: Method): unknown => (method === "GET" ? undefined : {});

test("every route has a scenario, and every scenario a route", () => {
  expect(Object.keys(SCENARIOS).sort()).toEqual(routes.map(nameOf).sort());
});

describe.each(routes.map((route) => ({ name: nameOf(route), route })))("$name", ({ name, route }) => {
  test("succeeds with what it declares", async () => {
    const given = (await SCENARIOS[name]?.(world)) ?? [];
    const requests = ([] as Request[]).concat(given);
    expect(requests).not.toHaveLength(0);
    for (const request of requests) {
      const answer = await world.as(TEST_API_KEY, route.method, request);
      expectSuccess(route, answer);
      for (const header of route.answer.headers ?? []) {
        if (header !== "Idempotency-Replayed") expect(answer.headers.get(header), header).not.toBeNull();
      }
    }
  });

  test("answers 401 without a key", async () => {
    const answer = await callApi(world.node.node.url, route.method, anyPath(route), anyBody(route.method), {
      authorization: "Bearer nobody-knows-this-key",
    });
    expectFailure(route, answer, 401);
  });

  test("answers 403 to a key with every scope but the one it names", async () => {
    const others = Object.keys(SCOPES).filter((scope) => scope !== route.scope && scope !== "admin");
    const key = await world.newKey(others);
    const answer = await callApi(world.node.node.url, route.method, anyPath(route), anyBody(route.method), {
      authorization: `Bearer ${key}`,
    });
    expectFailure(route, answer, 403);
    expect(answer.body.error.details[0]).toMatchObject({ required_scope: route.scope, current_scopes: others });
  });

  test("answers an unknown query parameter or a body of the wrong kind with 4xx in house style", async () => {
    if (route.raw) return;
    const path = `${anyPath(route)}?noSuchParameter=1`;
    const answer = await callApi(world.node.node.url, route.method, path, anyBody(route.method));
    expectFailure(route, answer, 422);
    expect(answer.body.error).toMatchObject({ code: "UNKNOWN_FIELD", details: [{ field: "noSuchParameter" }] });
    if (route.method === "GET") return;
    const listed = await callApi(world.node.node.url, route.method, anyPath(route), []);
    expectFailure(route, listed, 422);
  });
});

describe("GET /openapi.json", () => {
  const fetchIt = (path = "/v1/openapi.json", init: RequestInit = {}) => fetch(world.node.node.url + path, init);

  test("needs no key and holds every route, under both bases", async () => {
    const answer = await fetchIt();
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json; charset=utf-8");
    const document = (await answer.json()) as { paths: Record<string, unknown>; info: { version: string } };
    for (const route of routes) expect(document.paths).toHaveProperty([route.path, route.method.toLowerCase()]);
    expect(document.info.version).toBe("test");
    expect(await (await fetchIt("/api/v1/openapi.json")).json()).toEqual(document);
  });

  test("is not sent again to who has it, and HEAD says the same without it", async () => {
    const etag = (await fetchIt()).headers.get("etag") as string;
    for (const header of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      expect((await fetchIt(undefined, { headers: { "if-none-match": header } })).status).toBe(304);
    }
    expect((await fetchIt(undefined, { headers: { "if-none-match": '"other"' } })).status).toBe(200);
    const head = await fetchIt(undefined, { method: "HEAD" });
    expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, etag, ""]);
  });

  test("answers other methods with 405", async () => {
    const answer = await fetchIt(undefined, { method: "POST" });
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
  });
});
