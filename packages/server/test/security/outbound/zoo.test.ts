// Every receiver of the zoo gets one request: each must end as the right outcome, in time, with its socket closed.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OutboundClient } from "../../../src/security/outbound/client.ts";
import type { SendResult } from "../../../src/security/outbound/result.ts";
import { attemptBadCertificates } from "../../support/receivers/bad-certificates.ts";
import { createTestClient, postTo, SHORT_TIMEOUT_MS } from "../../support/outbound.ts";
import { type Receiver, startReceiver } from "../../support/receivers/receiver.ts";
import { ZOO_BEHAVIOURS } from "../../support/receivers/zoo-behaviours.ts";
import { startTlsZoo, startZoo, type TlsAnimal, type TlsZoo, type Zoo } from "../../support/receivers/zoo.ts";

const BODY_TIMEOUT_MS = 200;

let canary: Receiver;
let zoo: Zoo;
let tlsZoo: TlsZoo;
let client: OutboundClient;

beforeAll(async () => {
  canary = await startReceiver();
  zoo = await startZoo({ canaryOrigin: canary.origin });
  tlsZoo = await startTlsZoo();
  client = createTestClient("127.0.0.1", {
    bodyTimeoutMs: BODY_TIMEOUT_MS,
    furtherCas: [tlsZoo.authority.certificate],
  });
});

afterAll(async () => {
  await client.close();
  expect(client.stats).toEqual({ openConnections: 0, idleConnections: 0, running: 0 });
  await zoo.close();
  await tlsZoo.close();
  await canary.close();
});

function visit(url: string, timeoutMs = 10_000): Promise<SendResult> {
  const headers = ["content-type", "application/json", "authorization", "Bearer secret"];
  return client.send(postTo(url, { headers, timeoutMs }));
}

/** Only those that are to meet their deadline get a short one: a busy machine must not fail the others. */
function timeoutFor(outcome: Record<string, unknown>): number {
  return outcome.kind === "timed_out" ? SHORT_TIMEOUT_MS : 10_000;
}

/** The outcome without what differs from run to run. */
function outcomeOf(result: SendResult): Record<string, unknown> {
  switch (result.kind) {
    case "responded":
      return {
        kind: result.kind,
        status: result.status,
        body: result.body.toString("latin1"),
        cut: result.bodyTruncated,
      };
    case "timed_out":
    case "aborted":
      return { kind: result.kind, phase: result.phase };
    case "connection_failed":
      return { kind: result.kind, phase: result.phase, code: result.code };
    case "tls_failed":
    case "invalid_response":
    case "blocked":
      return { kind: result.kind, code: result.code };
    default:
      return result satisfies never;
  }
}

const STATUSES = [
  200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 404, 408, 409, 410, 413, 415, 422, 425, 429, 500, 502,
  504,
];

describe("plain answers", () => {
  test.each(STATUSES)("status %i is reported as it came, and nothing else is requested", async (status) => {
    const result = await visit(zoo.url(`/${status}`));
    expect(outcomeOf(result)).toEqual({ kind: "responded", status, body: "", cut: false });
    expect(zoo.visits(`/${status}`)).toBe(1);
    expect(canary.connectionCount).toBe(0);
  });

  test.each(["/302-file", "/302-no-scheme", "/302-loop"])("the redirect %s is a 302 and not followed", async (path) => {
    const result = await visit(zoo.url(path));
    expect(result).toMatchObject({ kind: "responded", status: 302 });
    expect(zoo.visits(path)).toBe(1);
    expect(canary.connectionCount).toBe(0);
  });

  test("the headers of an answer are handed over as they came", async () => {
    const result = await visit(zoo.url("/429-retry-after-garbage"));
    expect(result).toMatchObject({ kind: "responded", status: 429, headersTruncated: false });
    if (result.kind !== "responded") return;
    expect(result.headers).toEqual(["retry-after", "soon; <b>", "content-length", "0"]);
  });
});

const CASES: readonly [path: string, outcome: Record<string, unknown>][] = [
  ["/103-then-200", { kind: "responded", status: 200, body: "ok", cut: false }],
  ["/slow-first-byte", { kind: "responded", status: 200, body: "", cut: false }],
  ["/until-close", { kind: "responded", status: 200, body: "until close", cut: false }],
  ["/close-after", { kind: "responded", status: 200, body: "ok", cut: false }],
  ["/long-content-length", { kind: "responded", status: 200, body: "ok", cut: false }],
  ["/two-responses", { kind: "responded", status: 200, body: "", cut: false }],
  ["/control-reason", { kind: "responded", status: 200, body: "", cut: false }],
  ["/enc-chain-1000", { kind: "responded", status: 200, body: "ok", cut: false }],
  // The head decides: what breaks after it leaves a mark, not a failure.
  ["/body-then-rst", { kind: "responded", status: 200, body: "half", cut: true }],
  ["/short-content-length", { kind: "responded", status: 200, body: "short", cut: true }],
  ["/bad-chunk", { kind: "responded", status: 200, body: "", cut: true }],
  ["/hang-accept", { kind: "timed_out", phase: "response" }],
  ["/hang-headers", { kind: "timed_out", phase: "response" }],
  ["/drip-headers", { kind: "timed_out", phase: "response" }],
  ["/200-after-timeout", { kind: "timed_out", phase: "response" }],
  ["/rst", { kind: "connection_failed", phase: "response", code: "ECONNRESET" }],
  ["/fin", { kind: "connection_failed", phase: "response", code: "CLOSED" }],
  ["/half-then-rst", { kind: "connection_failed", phase: "response", code: "ECONNRESET" }],
  ["/big-header-20k", { kind: "invalid_response", code: "HPE_HEADER_OVERFLOW" }],
  ["/cl-te", { kind: "invalid_response", code: "CONTENT_LENGTH_MISMATCH" }],
  ["/two-cl", { kind: "invalid_response", code: "CONTENT_LENGTH_MISMATCH" }],
  ["/garbage", { kind: "invalid_response", code: "HPE_INVALID_RESPONSE" }],
  ["/http-0.9", { kind: "invalid_response", code: "HPE_INVALID_RESPONSE" }],
  ["/999", { kind: "invalid_response", code: "STATUS_OUT_OF_RANGE" }],
  ["/000", { kind: "invalid_response", code: "UNEXPECTED_RESPONSE" }],
  ["/100-flood", { kind: "invalid_response", code: "UNEXPECTED_RESPONSE" }],
  ["/103-flood", { kind: "invalid_response", code: "INTERIM_FLOOD" }],
  ["/101", { kind: "invalid_response", code: "UNEXPECTED_UPGRADE" }],
];

describe("receivers that misbehave", () => {
  test.each(CASES)("%s ends as %o", async (path, outcome) => {
    const result = await visit(zoo.url(path), timeoutFor(outcome));
    expect(outcomeOf(result)).toEqual(outcome);
    expect(result).toMatchObject({ address: `127.0.0.1:${zoo.port}`, requestStarted: true });
    expect(zoo.visits(path)).toBe(1);
    expect(result.timings.totalMs).toBeLessThan(timeoutFor(outcome) + 1000);
  });

  test("a body that drips is read for its own budget and then left, however long the deadline", async () => {
    const result = await visit(zoo.url("/drip-body"));
    expect(result).toMatchObject({ kind: "responded", status: 200, bodyTruncated: true });
    expect(result.timings.totalMs).toBeGreaterThanOrEqual(BODY_TIMEOUT_MS);
    expect(result.timings.totalMs).toBeLessThan(BODY_TIMEOUT_MS + 1000);
  });

  test("an endless body is read up to 64 KiB and 16 KiB of it are kept", async () => {
    const result = await visit(zoo.url("/infinite"));
    expect(result).toMatchObject({ kind: "responded", status: 200, bodyTruncated: true });
    if (result.kind !== "responded") return;
    expect(result.body).toEqual(Buffer.alloc(16 * 1024, "x"));
    expect(result.bodyReadBytes).toBeGreaterThan(64 * 1024);
    expect(result.bodyReadBytes).toBeLessThan(192 * 1024);
  });

  test("a gzip bomb stays compressed", async () => {
    const result = await visit(zoo.url("/gzip-bomb"));
    expect(result).toMatchObject({ kind: "responded", status: 200 });
    if (result.kind !== "responded") return;
    expect(result.body.subarray(0, 2)).toEqual(Buffer.of(0x1f, 0x8b));
    expect(result.bodyReadBytes).toBeLessThan(64 * 1024);
  });

  test("of two thousand headers a hundred are kept", async () => {
    const result = await visit(zoo.url("/2000-headers"));
    expect(result).toMatchObject({ kind: "responded", status: 200, headersTruncated: true });
    if (result.kind === "responded") expect(result.headers).toHaveLength(200);
  });
});

const TLS_CASES: readonly [TlsAnimal, Record<string, unknown>][] = [
  ["expired", { kind: "tls_failed", code: "CERT_HAS_EXPIRED" }],
  ["wronghost", { kind: "tls_failed", code: "ERR_TLS_CERT_ALTNAME_INVALID" }],
  ["selfsigned", { kind: "tls_failed", code: "DEPTH_ZERO_SELF_SIGNED_CERT" }],
  ["unknownca", { kind: "tls_failed", code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" }],
  ["tls11", { kind: "tls_failed", code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" }],
  ["plain", { kind: "tls_failed", code: "ERR_SSL_WRONG_VERSION_NUMBER" }],
  ["slow", { kind: "timed_out", phase: "tls" }],
];

describe("receivers with bad TLS", () => {
  test.each(TLS_CASES)("%s fails as %o and reads no byte of the request", async (animal, outcome) => {
    const result = await visit(`https://127.0.0.1:${tlsZoo.ports[animal]}/`, timeoutFor(outcome));
    expect(outcomeOf(result)).toEqual(outcome);
    expect(result.requestStarted).toBe(false);
    expect(tlsZoo.requestBytes[animal]).toBe(0);
  });

  test("a good certificate passes, and its expiry is told", async () => {
    const result = await visit(`https://127.0.0.1:${tlsZoo.ports.good}/`);
    expect(outcomeOf(result)).toEqual({ kind: "responded", status: 200, body: "ok", cut: false });
    if (result.kind !== "responded") return;
    const inDays = ((result.certificateExpiresAtMs ?? 0) - Date.now()) / 86_400_000;
    expect(inDays).toBeGreaterThan(28);
    expect(inDays).toBeLessThan(31);
    expect(result.timings).toMatchObject({ dnsMs: null, connectMs: expect.any(Number), tlsMs: expect.any(Number) });
  });
});

test("attempt after attempt at bad certificates leaves no socket and no memory behind", async () => {
  // `npm run chaos -- --zoo` makes twenty thousand.
  const figures = await attemptBadCertificates(200);
  expect(figures).toMatchObject({ attempts: 200, otherwise: 0, openSockets: 0, requestBytes: 0 });
  expect(figures.heapGrowthMb).toBeLessThan(10);
});

describe("every behaviour of the zoo", () => {
  test.each(Object.keys(ZOO_BEHAVIOURS))("%s: an attempt ends in time and frees its slot", async (path) => {
    const result = await visit(zoo.url(path), SHORT_TIMEOUT_MS);
    expect(result.timings.totalMs).toBeLessThan(SHORT_TIMEOUT_MS + 1_000);
    expect(client.stats.running).toBe(0);
    expect(canary.connectionCount).toBe(0);
  });
});

test("no socket to the zoo stays open once the idle ones are closed", async () => {
  await client.close();
  expect(client.stats.openConnections).toBe(0);
});
