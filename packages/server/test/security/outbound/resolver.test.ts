// The DNS cache: clamped times, shared queries, failures as values. The clock is the test's.
import { createSocket } from "node:dgram";
import { expect, test } from "vitest";
import {
  createCachingResolver,
  querySystem,
  type ResolvedAddress,
  type ResolveName,
} from "../../../src/security/outbound/resolver.ts";

/** A query that counts and answers what the test sets. */
function createQuery(ttlSeconds: number): { query: ResolveName; calls: string[]; answer: () => Promise<string[]> } {
  const state = {
    calls: [] as string[],
    answer: async () => ["1.2.3.4"],
    query: async (hostname: string): Promise<readonly ResolvedAddress[]> => {
      state.calls.push(hostname);
      return (await state.answer()).map((address) => ({ address, ttlSeconds }));
    },
  };
  return state;
}

test.each([
  [0, 5],
  [3, 5],
  [30, 30],
  [60, 60],
  [86_400, 60],
])("an answer with a TTL of %i s is asked for again after %i s", async (ttlSeconds, keptSeconds) => {
  let nowMs = 0;
  const { query, calls } = createQuery(ttlSeconds);
  const resolve = createCachingResolver(query, () => nowMs);
  await resolve("a.example.com");
  nowMs = keptSeconds * 1000 - 1;
  expect(await resolve("a.example.com")).toEqual({ ok: true, addresses: ["1.2.3.4"] });
  expect(calls).toHaveLength(1);
  nowMs = keptSeconds * 1000;
  await resolve("a.example.com");
  expect(calls).toHaveLength(2);
});

test("the shortest TTL among the answers counts", async () => {
  let nowMs = 0;
  let count = 0;
  const query: ResolveName = async () => {
    count++;
    return [
      { address: "1.2.3.4", ttlSeconds: 60 },
      { address: "1.2.3.5", ttlSeconds: 10 },
    ];
  };
  const resolve = createCachingResolver(query, () => nowMs);
  await resolve("a.example.com");
  nowMs = 10_000;
  await resolve("a.example.com");
  expect(count).toBe(2);
});

test("callers that ask at once share one query, other names are not held up", async () => {
  const { query, calls } = createQuery(60);
  const resolve = createCachingResolver(query, () => 0);
  const answers = await Promise.all([
    ...Array.from({ length: 50 }, () => resolve("a.example.com")),
    resolve("b.example.com"),
  ]);
  expect(calls).toEqual(["a.example.com", "b.example.com"]);
  expect(new Set(answers.map((answer) => answer.ok))).toEqual(new Set([true]));
});

test("failures are values and are kept for five seconds", async () => {
  let nowMs = 0;
  const state = createQuery(60);
  state.answer = async () => {
    throw Object.assign(new Error("queryA ENOTFOUND"), { code: "ENOTFOUND" });
  };
  const resolve = createCachingResolver(state.query, () => nowMs);
  expect(await resolve("gone.example.com")).toEqual({ ok: false, code: "ENOTFOUND" });
  nowMs = 4999;
  await resolve("gone.example.com");
  expect(state.calls).toHaveLength(1);
  nowMs = 5000;
  state.answer = async () => ["1.2.3.4"];
  expect(await resolve("gone.example.com")).toEqual({ ok: true, addresses: ["1.2.3.4"] });
});

test("no answers and absurdly many answers are failures", async () => {
  const state = createQuery(60);
  state.answer = async () => [];
  const resolve = createCachingResolver(state.query, () => 0);
  expect(await resolve("empty.example.com")).toEqual({ ok: false, code: "ENODATA" });
  state.answer = async () => Array.from({ length: 65 }, (_, i) => `1.2.3.${i}`);
  expect(await resolve("many.example.com")).toEqual({ ok: false, code: "TOO_MANY_ANSWERS" });
});

test("the system resolver knows the hosts file", async () => {
  const addresses = (await querySystem("localhost")).map((answer) => answer.address);
  expect(addresses).toContain("127.0.0.1");
});

test("the DNS query asks a name server for A and AAAA and reports what it is told", async () => {
  const { createDnsQuery } = await import("../../../src/security/outbound/resolver.ts");
  const server = createSocket("udp4");
  const asked: number[] = [];
  server.on("message", (message, peer) => {
    const question = message.subarray(12);
    const type = question.readUInt16BE(question.indexOf(0) + 1);
    asked.push(type);
    const data = type === 1 ? [1, 2, 3, 4] : [0x26, 0x06, ...Array.from({ length: 13 }, () => 0), 1];
    const header = Buffer.from([message[0] ?? 0, message[1] ?? 0, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
    const end = question.indexOf(0) + 5;
    const answer = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 42, 0, data.length, ...data]);
    server.send(Buffer.concat([header, question.subarray(0, end), answer]), peer.port, peer.address);
  });
  await new Promise<void>((resolve) => server.bind(0, "127.0.0.1", resolve));
  const answers = await createDnsQuery([`127.0.0.1:${server.address().port}`])("hooks.example.com");
  server.close();
  expect(asked.sort()).toEqual([1, 28]);
  expect(answers).toEqual([
    { address: "1.2.3.4", ttlSeconds: 42 },
    { address: "2606::1", ttlSeconds: 42 },
  ]);
});
