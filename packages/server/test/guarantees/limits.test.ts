// 429 for a key over its limit, 503 while the database is away, and a clear 4xx that changes nothing for bad input.
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestNode, type TestNode } from "../support/node.ts";
import { until } from "../support/until.ts";

let node: TestNode;
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(() => node?.stop());

const GOOD = { event: "invoice.paid", data: { object: { invoiceNumber: "L-1" } } };
const REFUSED: [string, string | Buffer, number, string][] = [
  ["no body", "", 400, "EMPTY_BODY"],
  ["no JSON", "{event", 400, "INVALID_JSON"],
  ["invalid UTF-8", Buffer.from([0x22, 0xff, 0x22]), 400, "INVALID_UTF8"],
  ["65 levels", `{"event":"invoice.paid","data":${"[".repeat(64)}${"]".repeat(64)}}`, 400, "JSON_TOO_DEEP"],
  ["a list", "[]", 422, "NOT_AN_OBJECT"],
  ["no event", '{"data":1}', 422, "MISSING_MEMBER"],
  ["a misspelt member", '{"event":"invoice.paid","data":1,"contxt":{}}', 422, "UNKNOWN_FIELD"],
  ["a member twice", '{"event":"invoice.paid","data":1,"d\\u0061ta":2}', 422, "DUPLICATE_MEMBER"],
  ["an unknown type", '{"event":"invoice.payed","data":1}', 422, "UNKNOWN_EVENT_TYPE"],
  ["a type with a null character", '{"event":"invoice.\\u0000paid","data":1}', 422, "UNKNOWN_EVENT_TYPE"],
  ["an id with a dot", '{"event":"invoice.paid","data":1,"id":"a.b"}', 422, "VALIDATION_ERROR"],
  [
    "a time that is none",
    '{"event":"invoice.paid","data":1,"timestamp":"2026-02-30T00:00:00Z"}',
    422,
    "VALIDATION_ERROR",
  ],
  ["no text for a key", '{"event":"invoice.paid","data":1,"orderingKey":""}', 422, "VALIDATION_ERROR"],
];

test.each(REFUSED)("%s is refused and changes nothing", async (_name, body, status, code) => {
  const answer = await node.api("POST", "/v1/events", body);
  expect([answer.status, answer.body.error.code], JSON.stringify(answer.body)).toEqual([status, code]);
  expect(answer.body).toMatchObject({ success: false, error: { requestId: expect.stringMatching(/^req_/) } });
  expect(await node.sql("select 1 from event")).toEqual([]);
});

test("an unknown type is answered with the nearest names", async () => {
  const answer = await node.api("POST", "/v1/events", { event: "invoice.payed", data: 1 });
  expect(answer.body.error.details[0].nearest).toContain("invoice.paid");
});

test("a key over its limit gets 429 and is told how long to wait", async () => {
  await node.sql("update api_key set capture_limit_per_second = 1");
  await node.sql("update config_version set version = version + 1");
  const limited = await until("the limit to be in force", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => node.api("POST", "/v1/events", GOOD)));
    return answers.find((answer) => answer.status === 429);
  });
  expect(limited.body.error.code).toBe("RATE_LIMITED");
  expect(Number(limited.headers.get("retry-after"))).toBeGreaterThanOrEqual(1);
  await node.sql("update api_key set capture_limit_per_second = null");
  await node.sql("update config_version set version = version + 1");
  await until("the limit to be lifted", async () => {
    const answers = await Promise.all([1, 2, 3].map(() => node.api("POST", "/v1/events", GOOD)));
    return answers.every((answer) => answer.status === 202);
  });
});

test("while the database is away the answer is 503, and afterwards everything goes on by itself", async () => {
  const { connection, databaseName } = node.database;
  const admin = new pg.Client({ ...connection, database: "postgres" });
  await admin.connect();
  try {
    await admin.query(`alter database ${databaseName} allow_connections false`);
    await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [databaseName]);
    const away = await until("a refusal", async () => {
      const answer = await node.api("POST", "/v1/events", GOOD);
      return answer.status === 503 && answer.body.error.code === "DATABASE_UNAVAILABLE" ? answer : undefined;
    });
    expect(away.headers.get("retry-after")).toBe("1");
    expect((await fetch(`${node.node.url}/healthz`)).status).toBe(200);
  } finally {
    await admin.query(`alter database ${databaseName} allow_connections true`);
    await admin.end();
  }
  await until("an event to be taken again", async () => (await node.api("POST", "/v1/events", GOOD)).status === 202);
});
