// Senders that take their time: headers and bodies have a deadline, and the answer to missing it is ours.
import { once } from "node:events";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createHttpServer } from "../../src/http/server.ts";
import { type Face, openFace } from "./support.ts";

let face: Face;
let port: number;
let key: string;
let handled = 0;

beforeAll(async () => {
  const count = () => {
    handled += 1;
  };
  face = await openFace({
    timeouts: { headersMs: 100, requestMs: 200, checkMs: 20 },
    publish: { event: count, batch: count, admit: () => null },
  });
  key = await face.addKey(await face.addTenant("one"));
  port = await face.listen();
});
afterAll(() => face.close());

const incomplete: [string, () => string][] = [
  ["in the middle of the headers", () => "GET /v1/webhooks HTTP/1.1\r\nhost: "],
  [
    "in the middle of the body",
    () =>
      `POST /v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: 5\r\n\r\n{`,
  ],
];
test.each(incomplete)("who stops %s is answered 408 and cut off", async (_where, text) => {
  const socket = connect(port, "127.0.0.1");
  socket.write(text());
  let answer = "";
  socket.on("data", (chunk) => {
    answer += String(chunk);
  });
  await once(socket, "close");
  expect(answer).toMatch(/^HTTP\/1\.1 408 /);
  expect(answer).toContain('"code":"REQUEST_TIMEOUT"');
  expect(handled).toBe(0);
});

test("the limits in production are those that the documents name", async () => {
  const production = createHttpServer({
    routes: [],
    authenticator: {} as never,
    clock: face.clock,
    newRequestId: () => "req_x",
    log: { isLevelEnabled: () => false, debug: () => {}, error: () => {} },
  });
  expect(production.server).toMatchObject({ headersTimeout: 10_000, requestTimeout: 30_000 });
  await production.close();
});
