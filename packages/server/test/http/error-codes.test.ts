// Every code of the table of errors, provoked at a real node; or, for what cannot be provoked in one request, the test
// that does. A new code without either fails here.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ERRORS, type ErrorCode } from "@posthorn/contract";
import { afterAll, beforeAll, expect, test } from "vitest";
import { errorCodesOf } from "../../src/http/openapi-errors.ts";
import { routesToRead } from "../../src/http/routes.ts";
import { type PublishOptions, publishHandlers } from "../../src/http/routes/publish.ts";
import { type ApiAnswer, TEST_API_KEY } from "../support/node.ts";
import { openWorld, type Request, type World } from "./every-route/world.ts";

const EVENT = { event: "invoice.paid", data: {} };
const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

interface ErrorWorld extends World {
  readonly disabledWebhookId: string;
}

interface Provocation extends Request {
  readonly method?: string;
  readonly key?: string;
}

/** One request each, after what it needs was done; the last answer counts. */
const PROVOKED: Partial<Record<ErrorCode, (world: ErrorWorld) => Provocation | Promise<Provocation>>> = {
  INVALID_JSON: () => ({ path: "/events", body: "{" }),
  INVALID_UTF8: () => ({ path: "/webhooks", body: Buffer.from([0x22, 0xff, 0x22]) }),
  JSON_TOO_DEEP: () => ({ path: "/events", body: `{"event":"invoice.paid","data":${deep(64)}}` }),
  EMPTY_BODY: () => ({ path: "/webhooks", body: "" }),
  INVALID_REQUEST: () => ({ method: "GET", path: "/events/%ff" }),
  UNAUTHORIZED: () => ({ method: "GET", path: "/events", key: "blg_live_sk_nobody" }),
  FORBIDDEN: async (world) => ({ method: "GET", path: "/audit", key: await world.newKey(["read:events"]) }),
  NOT_FOUND: () => ({ method: "GET", path: "/events/evt_nothing" }),
  METHOD_NOT_ALLOWED: () => ({ method: "PATCH", path: "/events" }),
  CONFLICT: (world) => ({ path: `/webhooks/${world.disabledWebhookId}/pause` }),
  ALREADY_EXISTS: () => ({ path: "/companies", body: { id: "company_default", name: "Again" } }),
  LAST_ADMINISTRATOR: async (world) => {
    const keys = await world.data("GET", "/api-keys");
    const own = keys.find((key: { lastCharacters: string }) => TEST_API_KEY.endsWith(key.lastCharacters));
    return { method: "DELETE", path: `/api-keys/${own.id}` };
  },
  DUPLICATE_NAME: (world) => {
    const webhook = { name: "twice", url: world.receiver.origin, events: ["bill.paid"] };
    return { path: "/webhooks/apply", body: { webhooks: [webhook, webhook] } };
  },
  AMBIGUOUS_NAME: async (world) => {
    for (let made = 0; made < 2; made += 1) await world.newWebhook({ name: "one of two" });
    const webhook = { name: "one of two", url: world.receiver.origin, events: ["bill.paid"] };
    return { path: "/webhooks/apply", body: { webhooks: [webhook] } };
  },
  IDEMPOTENCY_KEY_REUSED: async (world) => {
    const headers = { "idempotency-key": "used twice" };
    await world.as(TEST_API_KEY, "POST", { path: "/events", body: EVENT, headers });
    return { path: "/events", body: { ...EVENT, data: 1 }, headers };
  },
  EVENT_ID_TAKEN: async (world) => {
    await world.data("POST", "/events", { ...EVENT, id: "taken" });
    return { path: "/events", body: { ...EVENT, id: "taken", data: 1 } };
  },
  NOT_RETRYABLE: (world) => ({ path: `/deliveries/${world.deliveredId}/retry` }),
  NOT_CANCELLABLE: (world) => ({ path: `/deliveries/${world.deliveredId}/cancel` }),
  NOT_CORRECTABLE: (world) => ({ path: `/deliveries/${world.deliveredId}/correct`, body: { data: 1 } }),
  NOT_PARKED: (world) => ({ path: `/deliveries/${world.deliveredId}/skip` }),
  ROTATION_UNDER_WAY: async (world) => {
    const path = `/webhooks/${await world.newWebhook()}/secret/rotate`;
    await world.data("POST", path);
    return { path };
  },
  NO_ROTATION_UNDER_WAY: (world) => ({ path: `/webhooks/${world.webhookId}/secret/switch` }),
  PRECONDITION_FAILED: (world) => ({
    method: "PATCH",
    path: `/webhooks/${world.webhookId}`,
    body: { timeout: 9 },
    headers: { "if-match": '"0-0"' },
  }),
  BODY_TOO_LARGE: () => ({ path: "/webhooks", body: `"${"a".repeat(1024 * 1024)}"` }),
  UNSUPPORTED_MEDIA_TYPE: () => ({ path: "/events", body: "<a/>", headers: { "content-type": "text/xml" } }),
  HEADERS_TOO_LARGE: () => ({ method: "GET", path: "/events", headers: { "x-large": "a".repeat(20_000) } }),
  VALIDATION_ERROR: () => ({ method: "GET", path: "/events?limit=0" }),
  UNKNOWN_FIELD: () => ({ path: "/events", body: { ...EVENT, dta: 1 } }),
  FIELD_NOT_AVAILABLE_YET: (world) => ({ path: `/webhooks`, body: webhookAt(world, { pinVersion: 1 }) }),
  READ_ONLY_FIELD: (world) => ({ path: `/webhooks`, body: webhookAt(world, { version: 3 }) }),
  MISSING_MEMBER: () => ({ path: "/webhooks", body: {} }),
  WRONG_TYPE: (world) => ({ path: "/webhooks", body: webhookAt(world, { active: "yes" }) }),
  DUPLICATE_MEMBER: () => ({ path: "/events", body: '{"event":"a.b","event":"a.b","data":1}' }),
  NOT_AN_OBJECT: () => ({ path: "/events", body: "[]" }),
  TOO_MANY_EVENTS: () => ({ path: "/events/batch", body: { events: Array.from({ length: 1_001 }, () => EVENT) } }),
  EMPTY_BATCH: () => ({ path: "/events/batch", body: { events: [] } }),
  UNKNOWN_EVENT_TYPE: () => ({ path: "/events", body: { event: "invoice.payed", data: 1 } }),
  INVALID_EXPRESSION: (world) => ({ path: "/webhooks", body: webhookAt(world, { filters: ["invoice.total >"] }) }),
  TARGET_REFUSED: () => ({ path: "/webhooks", body: { url: "https://10.0.0.1/", events: ["bill.paid"] } }),
};

/** What one request cannot provoke, and where it is tested. */
const ELSEWHERE: Partial<Record<ErrorCode, string>> = {
  REQUEST_TIMEOUT: "http/slow-senders.test.ts",
  RATE_LIMITED: "guarantees/limits.test.ts",
  OVERLOADED: "http/server.test.ts",
  INTERNAL: "http/server.test.ts",
  EVENT_REFUSED_BY_STORAGE: "guarantees/isolation-of-trouble.test.ts",
  DATABASE_UNAVAILABLE: "guarantees/limits.test.ts",
  OUTCOME_UNKNOWN: "crash/cut-connections.test.ts",
  // Below: a node that stops closes its sockets within a moment.
  SHUTTING_DOWN: "http/error-codes.test.ts",
};

const routes = routesToRead();

/** Whether a request's path, with its query, is one of a route's. */
function isPathOf(template: string, path: string): boolean {
  const pattern = template.replaceAll(/\{\w+\}/g, "[^/]+");
  return new RegExp(`^${pattern}$`).test(path.split("?", 1)[0] as string);
}

const tests = join(import.meta.dirname, "..");
let world: ErrorWorld;

beforeAll(async () => {
  const opened = await openWorld();
  world = { ...opened, disabledWebhookId: await opened.newWebhook({ active: false }) };
});
afterAll(() => world?.stop());

const webhookAt = (at: World, fields: Record<string, unknown>) => ({
  url: at.receiver.origin,
  events: ["bill.paid"],
  ...fields,
});

test("every code is provoked here or tested elsewhere, and in one place only", () => {
  expect([...Object.keys(PROVOKED), ...Object.keys(ELSEWHERE)].sort()).toEqual(Object.keys(ERRORS).sort());
  for (const [code, file] of Object.entries(ELSEWHERE)) {
    const path = join(tests, file);
    expect(existsSync(path), file).toBe(true);
    expect(readFileSync(path, "utf8"), `${file} is where ${code} is tested`).toContain(code);
  }
});

test.each(Object.entries(PROVOKED))("%s", async (code, provoke) => {
  const { method = "POST", key = TEST_API_KEY, ...request } = await provoke(world);
  const answer: ApiAnswer = await world.as(key, method, request);
  expect(answer.body.error).toMatchObject({ code, documentation: `/docs/errors#${code}` });
  expect(answer.status).toBe(ERRORS[code as ErrorCode].status);
  const route = routes.find((each) => each.method === method && isPathOf(each.path, request.path));
  // The reference names it for this very route; 405 is what a path answers where there is none.
  if (route !== undefined) expect(errorCodesOf(route)).toContain(code);
  else expect(code).toBe("METHOD_NOT_ALLOWED");
});

test("SHUTTING_DOWN, from the moment on at which a node takes no more", () => {
  const closed = publishHandlers({ isOpen: () => false } as unknown as PublishOptions);
  const refusal = closed.admit(1)({} as never, 0, {} as never);
  expect(refusal).toMatchObject({ code: "SHUTTING_DOWN", headers: { "retry-after": "1" } });
});
