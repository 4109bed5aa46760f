// The HTTP face itself: house style, refusals before a handler is reached, raw routes, sockets that misbehave.
import { connect } from "node:net";
import { ERRORS, isId } from "@posthorn/contract";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failure } from "../../src/http/answer.ts";
import { answerNow } from "../../src/http/answer-now.ts";
import type { RawHandler } from "../../src/http/route-entry.ts";
import { routeTable } from "../../src/http/routes.ts";
import { type Face, openFace } from "./support.ts";

let face: Face;
let key: string;
let port: number;
/** What raw handlers were given. */
const raw: { body: Buffer; tenantId: string; path: string }[] = [];
const admitted: number[] = [];
let refuseAdmission = false;

const take =
  (path: string): RawHandler =>
  (principal, body, call) => {
    raw.push({ body, tenantId: principal.tenantId, path });
    const answer = (): void => answerNow(call, 202, '{"success":true}', ["idempotency-replayed", "true"]);
    if (body.toString() !== '"later"') return answer();
    // As with a large event: the handler has done its part, and the commit is still to come.
    setTimeout(answer, 10);
    return Promise.resolve();
  };

beforeAll(async () => {
  face = await openFace({
    publish: {
      event: take("event"),
      batch: take("batch"),
      admit: () => (_principal, contentLength) => {
        admitted.push(contentLength);
        return refuseAdmission ? { ...failure("OVERLOADED"), headers: { "retry-after": "1" } } : null;
      },
    },
  });
  key = await face.addKey(await face.addTenant("one"));
  port = await face.listen();
});
afterAll(() => face.close());

/** Sends bytes as they are and gives back all that comes until the server closes. */
async function overSocket(text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += String(chunk);
  return answer;
}

const post = (body: string | Buffer, headers: Record<string, string> = {}, url = "/v1/webhooks") =>
  face.inject({
    method: "POST",
    url,
    payload: body,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers },
  });

describe("house style", () => {
  test("a success carries request id and time, and is not to be kept or guessed at", async () => {
    const answer = await face.call(key, "GET", "/webhooks");
    expect(answer.body).toMatchObject({
      success: true,
      data: [],
      pagination: { hasMore: false, nextCursor: null, limit: 50 },
    });
    expect(isId("request", answer.body.meta.requestId)).toBe(true);
    expect(answer.body.meta.timestamp).toBe(new Date(face.clock.nowMs()).toISOString());
    expect(answer.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "x-request-id": answer.body.meta.requestId,
    });
    expect(answer.headers["x-powered-by"]).toBeUndefined();
  });

  test("a failure carries code, message, details and where to read on", async () => {
    const answer = await face.call(key, "GET", "/nothing");
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual({
      success: false,
      error: {
        code: "NOT_FOUND",
        message: expect.stringContaining("/v1/nothing"),
        details: [],
        requestId: answer.body.meta.requestId,
        timestamp: answer.body.meta.timestamp,
        documentation: "/docs/errors#NOT_FOUND",
      },
      meta: { requestId: expect.stringMatching(/^req_/), timestamp: expect.any(String) },
    });
  });

  test.each(["/v1", "/api/v1"])(
    "every path of the table answers other methods under %s with 405 and Allow",
    async (base) => {
      const routes = routeTable({
        webhooks: {},
        records: {},
        retries: {},
        replays: {},
        eventTypes: {},
        publish: { admit: () => null },
      } as never);
      for (const path of new Set(routes.map((each) => each.path))) {
        const allowed = routes.filter((each) => each.path === path).map((each) => each.method as string);
        for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const) {
          if (allowed.includes(method)) continue;
          const answer = await face.inject({ method, url: base + path.replaceAll(/\{\w+\}/g, "x") });
          expect(answer.status, `${method} ${path}`).toBe(405);
          expect(answer.body.error.code).toBe("METHOD_NOT_ALLOWED");
          expect((answer.headers["allow"] as string).split(", ").filter((each) => each !== "HEAD")).toEqual([
            ...new Set(allowed),
          ]);
        }
      }
    },
  );

  test("every route of the table wants a key, and one with the scope that it names", async () => {
    const bare = await face.addKey(await face.addTenant("bare"), { scopes: [] });
    const routes = routeTable({
      webhooks: {},
      records: {},
      retries: {},
      replays: {},
      eventTypes: {},
      publish: { admit: () => null },
    } as never);
    expect(routes.length).toBeGreaterThan(15);
    for (const { method, path, scope } of routes) {
      const url = path.replaceAll(/\{\w+\}/g, "x");
      expect((await face.inject({ method, url: `/v1${url}` })).status, `${method} ${path}`).toBe(401);
      const answer = await face.call(bare, method, url);
      expect(answer.status, `${method} ${path}`).toBe(403);
      expect(answer.body.error.details[0]).toMatchObject({ required_scope: scope, current_scopes: [] });
    }
  });
});

describe("bodies", () => {
  test.each([
    ["text that is no JSON", "{", {}, "INVALID_JSON"],
    ["two documents", "{}{}", {}, "INVALID_JSON"],
    ["single quotes", "{'a':1}", {}, "INVALID_JSON"],
    ["bytes that are no UTF-8", Buffer.from([0x7b, 0xff, 0x7d]), {}, "INVALID_UTF8"],
    ["a byte order mark", "\ufeff{}", {}, "INVALID_JSON"],
    ["nothing at all", "", {}, "EMPTY_BODY"],
    ["no object", "[]", {}, "WRONG_TYPE"],
    ["null", "null", {}, "WRONG_TYPE"],
    ["a form", "a=1", { "content-type": "application/x-www-form-urlencoded" }, "UNSUPPORTED_MEDIA_TYPE"],
    [
      "lines of JSON where one document is wanted",
      "{}",
      { "content-type": "application/x-ndjson" },
      "UNSUPPORTED_MEDIA_TYPE",
    ],
    ["another charset", "{}", { "content-type": "application/json; charset=latin1" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["another parameter", "{}", { "content-type": "application/json; x=1" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["two types", "{}", { "content-type": "application/json, text/plain" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["a compressed body", "{}", { "content-encoding": "gzip" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["two encodings", "{}", { "content-encoding": "identity, br" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["a megabyte too much", " ".repeat(1024 * 1024 + 1), {}, "BODY_TOO_LARGE"],
  ] as [string, string | Buffer, Record<string, string>, keyof typeof ERRORS][])(
    "with %s are refused",
    async (_what, body, headers, code) => {
      const answer = await post(body, headers);
      expect(answer.body.error.code).toBe(code);
      expect(answer.status).toBe(ERRORS[code].status);
    },
  );

  test.each([
    "application/json",
    "Application/JSON",
    "application/json;charset=UTF-8",
    'application/json ; charset="utf-8"',
    " application/json\t",
  ])("of type %j are read, and never reach a handler unchecked", async (type) => {
    const answer = await post('{"url":7}', { "content-type": type });
    expect(answer.status, JSON.stringify(answer.body)).toBe(422);
  });

  test.each([
    "application/json\u000b",
    "application/jsonx",
    "application/json;",
    ";application/json",
    "json",
    "text/json",
    "application/json/x",
  ])("of type %j go nowhere", async (type) => {
    const answer = await post('{"url":7}', { "content-type": type });
    expect([400, 415]).toContain(answer.status);
  });

  test.each(["constructor", "toString", "__proto__"])(
    "with the member %s are like those with any unknown one",
    async (name) => {
      const answer = await post(`{"url":"https://e.com/","events":["invoice.paid"],"${name}":{"polluted":1}}`);
      expect(answer.body.error).toMatchObject({ code: "UNKNOWN_FIELD", details: [{ field: name }] });
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    },
  );
});

describe("raw routes", () => {
  test("get the bytes as they were sent and answer by themselves", async () => {
    raw.length = 0;
    const body = Buffer.from('{ "event" : "x", "data": 1.0 }\n');
    const answer = await post(body, {}, "/v1/events");
    expect(answer.status).toBe(202);
    expect(raw).toHaveLength(1);
    expect(raw[0]?.body.equals(body)).toBe(true);
    expect(raw[0]?.tenantId).toMatch(/^ten_/);
    expect(answer.headers).toMatchObject({
      "content-type": "application/json; charset=utf-8",
      "x-content-type-options": "nosniff",
      "cache-control": "no-store",
      "idempotency-replayed": "true",
      "x-request-id": expect.stringMatching(/^req_/),
    });
    await post("not json", { "content-type": "application/x-ndjson" }, "/api/v1/events/batch");
    expect(raw[1]).toMatchObject({ path: "batch" });
    expect((await post("{}", { "content-type": "application/x-ndjson" }, "/v1/events")).status).toBe(415);
    expect(raw).toHaveLength(2);
  });

  test("are asked before the body is read, and their refusal is the answer", async () => {
    raw.length = 0;
    admitted.length = 0;
    await post("12345", {}, "/v1/events");
    refuseAdmission = true;
    const answer = await post("12345", {}, "/v1/events");
    refuseAdmission = false;
    expect(answer.status).toBe(503);
    expect(answer.headers["retry-after"]).toBe("1");
    expect(answer.body.error.code).toBe("OVERLOADED");
    expect(admitted).toEqual([5, 5]);
    expect(raw).toHaveLength(1);
  });

  test("take 11 MiB and not a byte more, also chunked", async () => {
    raw.length = 0;
    const fits = Buffer.alloc(11 * 1024 * 1024, 32);
    expect((await post(fits, {}, "/v1/events")).status).toBe(202);
    expect(raw[0]?.body.length).toBe(fits.length);
    expect((await post(Buffer.concat([fits, Buffer.from(" ")]), {}, "/v1/events")).body.error.code).toBe(
      "BODY_TOO_LARGE",
    );
    const chunked = await fetch(`http://127.0.0.1:${port}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: new ReadableStream({
        start(controller) {
          for (let i = 0; i < 3; i += 1) controller.enqueue(Buffer.alloc(3, 49));
          controller.close();
        },
      }),
      duplex: "half",
    } as RequestInit);
    expect(chunked.status).toBe(202);
    expect(raw.at(-1)?.body.toString()).toBe("111111111");
    expect(admitted.at(-1)).toBe(-1);
  });

  test("answer 500 in house style when their handler throws, without its words", async () => {
    const other = await openFace({
      publish: {
        event: () => {
          throw new Error("secret words");
        },
        batch: async () => {
          throw Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
        },
        admit: () => null,
      },
    });
    try {
      const otherKey = await other.addKey(await other.addTenant("one"));
      const thrown = await other.call(otherKey, "POST", "/events", {});
      expect(thrown.status).toBe(500);
      expect(thrown.body.error.code).toBe("INTERNAL");
      expect(JSON.stringify(thrown.body)).not.toContain("secret words");
      expect(other.errors).toHaveLength(1);
      const away = await other.call(otherKey, "POST", "/events/batch", {});
      expect(away.status).toBe(503);
      expect(away.headers["retry-after"]).toBe("2");
      expect(away.body.error.code).toBe("DATABASE_UNAVAILABLE");
    } finally {
      await other.close();
    }
  });
});

describe("on the wire", () => {
  test("what is not HTTP is answered in house style, and the connection ends", async () => {
    const answer = await overSocket("HELLO\r\n\r\n");
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toContain('"code":"INVALID_REQUEST"');
    expect(answer).toContain("connection: close");
  });

  test("headers beyond all measure are a 431", async () => {
    const answer = await overSocket(`GET /v1/webhooks HTTP/1.1\r\nhost: x\r\nx: ${"y".repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  test("a body shorter than promised never reaches a handler", async () => {
    raw.length = 0;
    const head = `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n`;
    await overSocket(`${head}{}`);
    expect(raw).toEqual([]);
  });

  test("two lengths, or a length beside chunks, are refused (request smuggling)", async () => {
    raw.length = 0;
    const head = `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`;
    expect(await overSocket(`${head}content-length: 2\r\ncontent-length: 3\r\n\r\n{}`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await overSocket(`${head}content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 400 /,
    );
    expect(raw).toEqual([]);
  });

  test("HEAD answers like GET without a body", async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/v1/webhooks`, {
      method: "HEAD",
      headers: { authorization: `Bearer ${key}` },
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toBe("");
  });
});

describe("paths that no route can have", () => {
  test.each([
    ["a wrong escape", "/v1/webhooks/%zz", 400, "INVALID_REQUEST"],
    ["half a UTF-8 character", "/v1/events/%ff", 400, "INVALID_REQUEST"],
    ["a parameter of 4,000 characters", `/v1/event-types/${"a".repeat(4_000)}`, 404, "NOT_FOUND"],
    ["a NUL", "/v1/event-types/a%00b", 404, "NOT_FOUND"],
  ])("%s is answered in house style", async (_what, url, status, code) => {
    const answer = await face.inject({ method: "GET", url, headers: { authorization: `Bearer ${key}` } });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ success: false, error: { code }, meta: {} });
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
  });

  test("a method that a path does not have is a 405 with Allow, TRACE and QUERY among them", async () => {
    for (const method of ["TRACE", "QUERY", "OPTIONS", "PATCH"]) {
      const answer = await face.inject({ method: method as "GET", url: "/v1/webhooks" });
      expect([method, answer.status, answer.headers["allow"]]).toEqual([method, 405, "POST, GET, HEAD"]);
    }
  });
});

describe("a raw request past Fastify", () => {
  /** `inject` never reaches the socket's listener, so it goes through Fastify. */
  async function bothWays(headers: Record<string, string>, body: string, url = "/v1/events") {
    const direct = await fetch(`http://127.0.0.1:${port}${url}`, { method: "POST", headers, body });
    const through = await face.inject({ method: "POST", url, headers, payload: body });
    const own = new Set(["date", "connection", "keep-alive", "x-request-id"]);
    const bodyOf = (text: string): unknown =>
      JSON.parse(text, (name, value: unknown) => (name === "requestId" ? isId("request", value as string) : value));
    return {
      direct: {
        status: direct.status,
        headers: Object.fromEntries([...direct.headers].filter(([name]) => !own.has(name))),
        body: bodyOf(await direct.text()),
      },
      through: {
        status: through.status,
        headers: Object.fromEntries(
          Object.entries(through.headers)
            .filter(([name]) => !own.has(name))
            .map(([name, value]) => [name, String(value)]),
        ),
        body: bodyOf(JSON.stringify(through.body)),
      },
    };
  }

  // Seen red: without the refusals' own headers, and with handlers that are called before they are admitted.
  test.each([
    ["let in", 202, {}, "{}"],
    ["let in, by the other base", 202, {}, "{}", "/api/v1/events"],
    ["answered after its handler has returned", 202, {}, '"later"'],
    ["without a key", 401, { authorization: "" }, "{}"],
    [
      "with a key that nobody has",
      401,
      { authorization: "Bearer blg_live_sk_0123456789012345678901234567890123" },
      "{}",
    ],
    ["in another media type", 415, { "content-type": "text/plain" }, "{}"],
    ["encoded", 415, { "content-encoding": "gzip" }, "{}"],
    ["for a company that is not there", 403, { "x-company-id": "company_nowhere" }, "{}"],
    ["longer than the route takes", 413, {}, " ".repeat(12 * 1024 * 1024)],
    ["with a query", 202, {}, "{}", "/v1/events?a=b"],
  ])("is answered as through it: %s", async (_name, status, headers, body, url?: string) => {
    const given = { authorization: `Bearer ${key}`, "content-type": "application/json", ...headers };
    // Once before, so that the key is remembered: only then is the way short.
    await bothWays({ authorization: `Bearer ${key}`, "content-type": "application/json" }, "{}");
    const { direct, through } = await bothWays(given, body, url);
    expect(direct.status).toBe(status);
    expect(direct).toEqual(through);
  });

  test("is refused before its body is handed over, with the headers of the refusal", async () => {
    const handled = raw.length;
    refuseAdmission = true;
    const { direct, through } = await bothWays(
      { authorization: `Bearer ${key}`, "content-type": "application/json" },
      "{}",
    ).finally(() => {
      refuseAdmission = false;
    });
    expect(direct).toEqual(through);
    expect(direct.headers).toMatchObject({ "retry-after": "1" });
    expect(raw.length).toBe(handled);
  });

  test("brings the bytes as they came, in however many pieces", async () => {
    const body = `"${"é".repeat(200_000)}"`;
    await bothWays({ authorization: `Bearer ${key}`, "content-type": "application/json" }, body);
    const taken = raw.slice(-2);
    for (const { body: bytes } of taken) expect(bytes.equals(Buffer.from(body))).toBe(true);
    await bothWays({ authorization: `Bearer ${key}`, "content-type": "application/json" }, "");
    expect(raw.slice(-2).map(({ body: bytes }) => bytes.length)).toEqual([0, 0]);
  });
});
