// The client's own promises: bytes as given, bounded time, no mix-up of connections, nothing left open.
import { type AddressInfo, createServer, Socket } from "node:net";
import { setImmediate } from "node:timers/promises";
import { afterEach, describe, expect, test } from "vitest";
import type { OutboundClient, OutboundClientOptions } from "../../../src/security/outbound/client.ts";
import type { SendResult } from "../../../src/security/outbound/result.ts";
import { createTlsIdentity } from "../../../src/security/outbound/tls-identity.ts";
import { createTestClient, postTo, resolveTo, SHORT_TIMEOUT_MS } from "../../support/outbound.ts";
import { createTestCertificate } from "../../support/receivers/certificates.ts";
import {
  destroyAll,
  type Receiver,
  type ReceiverOptions,
  startReceiver,
  track,
} from "../../support/receivers/receiver.ts";

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp(options: ReceiverOptions = {}): Promise<Receiver> {
  const receiver = await startReceiver(options);
  closers.push(receiver.close);
  return receiver;
}

function setUpClient(options: Partial<OutboundClientOptions> = {}): OutboundClient {
  const client = createTestClient("127.0.0.0/8", options);
  closers.push(() => client.close());
  return client;
}

function kindsOf(results: readonly SendResult[]): string[] {
  return [...new Set(results.map((result) => result.kind))];
}

describe("the request", () => {
  test("arrives byte for byte, with its length, and asks for no encoding", async () => {
    const receiver = await setUp();
    const body = Buffer.from([0, 1, 255, 13, 10, 0xe2, 0x82]);
    const headers = ["content-type", "application/json", "X-Custom", "a  b"];
    await setUpClient({ userAgent: "Posthorn/1 (+https://example.com)" }).send(
      postTo(`${receiver.origin}/a/b?c=%20d`, { headers, body }),
    );
    const request = receiver.requests[0];
    expect(request?.method).toBe("POST");
    expect(request?.path).toBe("/a/b?c=%20d");
    expect(request?.body).toEqual(body);
    expect(request?.headers).toEqual({
      host: `127.0.0.1:${receiver.port}`,
      connection: "keep-alive",
      "user-agent": "Posthorn/1 (+https://example.com)",
      "accept-encoding": "identity",
      "content-type": "application/json",
      "x-custom": "a  b",
      "content-length": "7",
    });
  });

  test.each(["POST", "PUT", "PATCH", "DELETE"])("%s without a body still frames it", async (method) => {
    const receiver = await setUp();
    await setUpClient().send(postTo(receiver.origin, { method, body: null }));
    expect(receiver.requests[0]).toMatchObject({ method, body: Buffer.alloc(0) });
    expect(receiver.requests[0]?.headers["transfer-encoding"]).toBeUndefined();
  });

  test.each([
    "Host",
    "content-length",
    "Connection",
    "Transfer-Encoding",
    "accept-encoding",
    "User-Agent",
    "Expect",
    "keep-alive",
    "upgrade",
  ])("a header %s is not sent but refused", async (name) => {
    const receiver = await setUp();
    const result = await setUpClient().send(postTo(receiver.origin, { headers: [name, "1"] }));
    expect(result).toMatchObject({ kind: "blocked", code: "REQUEST_INVALID", requestStarted: false });
    expect(receiver.requests).toHaveLength(0);
  });

  test.each([
    ["x\r\ny", "1"],
    ["x", "1\r\ny: 2"],
    ["x", "☃"],
    ["", "1"],
  ])("a header %j: %j is refused", async (name, value) => {
    const receiver = await setUp();
    const result = await setUpClient().send(postTo(receiver.origin, { headers: [name, value] }));
    expect(result).toMatchObject({ kind: "blocked", code: "REQUEST_INVALID" });
    expect(receiver.requests).toHaveLength(0);
  });

  test("a large body that the receiver does not read ends in the request phase", async () => {
    const { origin } = await setUpRaw((socket) => socket.pause());
    const result = await setUpClient().send(
      postTo(origin, { body: Buffer.alloc(10 * 1024 * 1024), timeoutMs: SHORT_TIMEOUT_MS }),
    );
    expect(result).toMatchObject({ kind: "timed_out", phase: "request", requestStarted: true });
  });
});

describe("the deadline", () => {
  test("covers a resolver that never answers", async () => {
    const result = await setUpClient({ resolve: () => new Promise(() => {}) }).send(
      postTo("https://slow.example.com/", { timeoutMs: SHORT_TIMEOUT_MS }),
    );
    expect(result).toMatchObject({ kind: "timed_out", phase: "dns", address: null, requestStarted: false });
    expect(result.timings.totalMs).toBeGreaterThanOrEqual(SHORT_TIMEOUT_MS);
    expect(result.timings.totalMs).toBeLessThan(SHORT_TIMEOUT_MS + 1000);
  });

  test("a name that does not resolve is a failed connection in the dns phase", async () => {
    const result = await setUpClient().send(postTo("https://gone.example.com/"));
    expect(result).toMatchObject({ kind: "connection_failed", phase: "dns", code: "ENOTFOUND" });
  });

  test("a resolver that gives up by itself is a timeout too", async () => {
    const resolve = async () => {
      throw Object.assign(new Error("queryA ETIMEOUT"), { code: "ETIMEOUT" });
    };
    const result = await setUpClient({ resolve }).send(postTo("https://slow.example.com/"));
    expect(result).toMatchObject({ kind: "timed_out", phase: "dns" });
  });

  test("a failure of our own code rejects and leaves nothing behind", async () => {
    const client = setUpClient({
      connectSocket: () => {
        throw new TypeError("a bug");
      },
    });
    await expect(client.send(postTo("http://127.0.0.1:9/"))).rejects.toThrow("a bug");
    expect(client.stats).toEqual({ openConnections: 0, idleConnections: 0, running: 0 });
  });

  test("covers a connect that never completes, within the shorter bound of dialling", async () => {
    const never = await setUp();
    const client = setUpClient({ dialTimeoutMs: 100, connectSocket: () => new Socket() });
    const result = await client.send(postTo(never.origin, { timeoutMs: 2000 }));
    expect(result).toMatchObject({ kind: "timed_out", phase: "connect", requestStarted: false });
    expect(result.timings.totalMs).toBeLessThan(1100);
    await client.close();
    expect(client.stats.openConnections).toBe(0);
  });

  test("a refused connection is told at once", async () => {
    const receiver = await startReceiver();
    await receiver.close();
    const result = await setUpClient().send(postTo(receiver.origin));
    expect(result).toMatchObject({ kind: "connection_failed", phase: "connect", code: "ECONNREFUSED" });
  });

  test("two hundred names that never resolve do not slow a healthy receiver", async () => {
    const receiver = await setUp();
    const client = setUpClient({ resolve: () => new Promise(() => {}) });
    const slow = Array.from({ length: 200 }, (_, i) =>
      client.send(postTo(`https://slow${i}.example.com/`, { timeoutMs: 1500 })),
    );
    const healthy = await client.send(postTo(receiver.origin));
    expect(healthy.kind).toBe("responded");
    expect(healthy.timings.totalMs).toBeLessThan(1500);
    expect(kindsOf(await Promise.all(slow))).toEqual(["timed_out"]);
  });
});

describe("many attempts", () => {
  test("at a receiver with a bad certificate leave no socket behind", async () => {
    const receiver = await setUp({ tls: createTestCertificate({ commonName: "self", names: ["127.0.0.1"] }) });
    const client = setUpClient();
    for (let round = 0; round < 10; round++) {
      const results = await Promise.all(Array.from({ length: 20 }, () => client.send(postTo(receiver.origin))));
      expect(kindsOf(results)).toEqual(["tls_failed"]);
    }
    await until(() => client.stats.openConnections === 0);
    expect(receiver.requests).toHaveLength(0);
  });

  test("at receivers that hang all end within a second of their deadline", async () => {
    const receiver = await setUp({ answer: () => "hang" });
    const client = setUpClient();
    const results = await Promise.all(
      Array.from({ length: 100 }, () => client.send(postTo(receiver.origin, { timeoutMs: SHORT_TIMEOUT_MS }))),
    );
    expect(kindsOf(results)).toEqual(["timed_out"]);
    expect(Math.max(...results.map((result) => result.timings.totalMs))).toBeLessThan(SHORT_TIMEOUT_MS + 1000);
    await until(() => client.stats.openConnections === 0);
  });
});

describe("connections", () => {
  test("are used again, one request at a time", async () => {
    const receiver = await setUp();
    const client = setUpClient();
    const first = await client.send(postTo(receiver.origin));
    const second = await client.send(postTo(receiver.origin));
    expect([first.reusedConnection, second.reusedConnection]).toEqual([false, true]);
    expect(second.timings).toMatchObject({ dnsMs: null, connectMs: null, tlsMs: null });
    expect(receiver.connectionCount).toBe(1);
    await Promise.all(Array.from({ length: 10 }, () => client.send(postTo(receiver.origin))));
    expect(receiver.connectionCount).toBe(10);
    expect(client.stats).toEqual({ openConnections: 10, idleConnections: 10, running: 0 });
  });

  test("a connection that the receiver closed while idle is forgotten", async () => {
    const receiver = await setUp();
    const client = setUpClient();
    await Promise.all(Array.from({ length: 4 }, () => client.send(postTo(receiver.origin))));
    receiver.dropConnections();
    await until(() => client.stats.openConnections === 0);
    expect(client.stats.idleConnections).toBe(0);
    expect(await client.send(postTo(receiver.origin))).toMatchObject({ kind: "responded", reusedConnection: false });
  });

  test("a request queued on a connection that closes before a byte was written is sent on a new one", async () => {
    const receiver = await setUp();
    const client = setUpClient();
    for (let round = 1; round <= 5; round++) {
      await Promise.all(Array.from({ length: 4 }, () => client.send(postTo(receiver.origin))));
      // From a check phase on, the next thing that happens is polling: the end is seen before the write.
      await setImmediate();
      receiver.dropConnections();
      const results = await Promise.all(Array.from({ length: 4 }, () => client.send(postTo(receiver.origin))));
      expect(kindsOf(results)).toEqual(["responded"]);
      expect(results.some((result) => result.reusedConnection)).toBe(false);
      expect(receiver.requests).toHaveLength(round * 8);
    }
  });

  test("a request that was written to a closing connection fails, and is not sent again", async () => {
    let count = 0;
    const { origin } = await setUpRaw((socket) => {
      socket.on("data", () => {
        count++;
        if (count === 1) socket.write("HTTP/1.1 204 No Content\r\n\r\n");
        else socket.resetAndDestroy();
      });
    });
    const client = setUpClient();
    await client.send(postTo(origin));
    const result = await client.send(postTo(origin));
    expect(result).toMatchObject({
      kind: "connection_failed",
      phase: "response",
      reusedConnection: true,
      requestStarted: true,
    });
    expect(count).toBe(2);
  });

  test("an idle connection closes by itself", async () => {
    const receiver = await setUp();
    const client = setUpClient({ idleMs: 50 });
    await client.send(postTo(receiver.origin));
    expect(client.stats.idleConnections).toBe(1);
    await until(() => client.stats.openConnections === 0);
    expect(client.stats.idleConnections).toBe(0);
  });

  test("a receiver's shorter keep-alive hint is honoured", async () => {
    const { origin } = await setUpRaw((socket) => {
      socket.on("data", () => socket.write("HTTP/1.1 204 No Content\r\nkeep-alive: timeout=1\r\n\r\n"));
    });
    const client = setUpClient();
    await client.send(postTo(origin));
    await until(() => client.stats.openConnections === 0);
    expect((await client.send(postTo(origin))).reusedConnection).toBe(false);
  });

  test("a connection past its age is not used again, so that a changed name is honoured", async () => {
    let nowMs = 0;
    const receiver = await setUp();
    const client = setUpClient({ nowMs: () => nowMs, maxConnectionAgeMs: 60_000 });
    await client.send(postTo(receiver.origin));
    nowMs = 59_999;
    expect((await client.send(postTo(receiver.origin))).reusedConnection).toBe(true);
    nowMs = 60_000;
    expect((await client.send(postTo(receiver.origin))).reusedConnection).toBe(false);
  });

  test("never exceed the limit: an idle one is closed first, then requests are refused", async () => {
    const first = await setUp();
    const hanging = await setUp({ answer: () => "hang" });
    const client = setUpClient({ maxConnections: 2 });
    await client.send(postTo(first.origin));
    const running = [1, 2].map(() => client.send(postTo(hanging.origin, { timeoutMs: 1000 })));
    await hanging.received(2);
    const refused = await client.send(postTo(first.origin));
    expect(refused).toMatchObject({ kind: "connection_failed", phase: "connect", code: "TOO_MANY_CONNECTIONS" });
    expect(kindsOf(await Promise.all(running))).toEqual(["timed_out"]);
  });
});

describe("TLS identities", () => {
  const authority = createTestCertificate({ commonName: "authority", isAuthority: true });
  const issuer = { ...authority, commonName: "authority" };
  const server = createTestCertificate({ commonName: "server", names: ["127.0.0.1", "hooks.example.com"], issuer });
  const identityOf = (commonName: string) =>
    createTlsIdentity({ ca: [authority.certificate], ...createTestCertificate({ commonName, issuer }) });

  test("two webhooks with different client certificates never share a connection or session", async () => {
    const receiver = await setUp({ tls: { ...server, clientCa: authority.certificate } });
    const client = setUpClient();
    const tenants = ["tenant a", "tenant b"].map((name) => ({ name, tls: identityOf(name) }));
    for (let round = 0; round < 3; round++) {
      for (const { name, tls } of tenants) {
        const result = await client.send(postTo(receiver.origin, { tls, headers: ["x-tenant", name] }));
        expect(result.kind).toBe("responded");
      }
    }
    for (const request of receiver.requests) {
      expect(request.peerCertificate?.subject.CN).toBe(request.headers["x-tenant"]);
    }
    expect(receiver.connectionCount).toBe(2);
  });

  test("a session is resumed under the same identity only", async () => {
    const receiver = await setUp({ tls: { ...server, clientCa: authority.certificate } });
    const client = setUpClient();
    const [a, b] = [identityOf("tenant a"), identityOf("tenant b")];
    for (const tls of [a, b, a, b]) {
      await client.send(postTo(receiver.origin, { tls, headers: ["x-tenant", tls === a ? "tenant a" : "tenant b"] }));
      receiver.dropConnections();
    }
    expect(receiver.requests.map((request) => request.peerCertificate?.subject.CN)).toEqual(
      receiver.requests.map((request) => request.headers["x-tenant"]),
    );
    expect(receiver.requests).toHaveLength(4);
  });

  test("a missing client certificate is refused by the receiver, without a response", async () => {
    const receiver = await setUp({ tls: { ...server, clientCa: authority.certificate } });
    const result = await setUpClient({ furtherCas: [authority.certificate] }).send(postTo(receiver.origin));
    expect(["tls_failed", "connection_failed"]).toContain(result.kind);
    expect(receiver.requests).toHaveLength(0);
  });

  test("a private authority is trusted by the identity that names it and by no other request", async () => {
    const receiver = await setUp({ tls: server });
    const client = setUpClient({ resolve: resolveTo("127.0.0.1") });
    const url = `https://hooks.example.com:${receiver.port}/`;
    const trusting = createTlsIdentity({ ca: [authority.certificate] });
    expect((await client.send(postTo(url, { tls: trusting }))).kind).toBe("responded");
    expect((await client.send(postTo(url))).kind).toBe("tls_failed");
    expect((await client.send(postTo(url, { tls: trusting }))).reusedConnection).toBe(true);
  });

  test("the same material is the same identity, any difference is another", () => {
    const material = { ca: [authority.certificate], certificate: server.certificate, privateKey: server.privateKey };
    expect(createTlsIdentity(material).id).toBe(createTlsIdentity({ ...material }).id);
    expect(createTlsIdentity({ ...material, minVersion: "TLSv1.3" }).id).not.toBe(createTlsIdentity(material).id);
    expect(createTlsIdentity({ ca: [authority.certificate] }).id).not.toBe(createTlsIdentity(material).id);
  });
});

describe("stopping", () => {
  test("a shared signal ends all its requests and no others", async () => {
    const receiver = await setUp({ answer: (request) => (request.path === "/other" ? 200 : "hang") });
    const client = setUpClient();
    const controller = new AbortController();
    const bound = Array.from({ length: 30 }, () => client.send(postTo(receiver.origin, { signal: controller.signal })));
    await receiver.received(30);
    controller.abort();
    const results = await Promise.all(bound);
    expect(kindsOf(results)).toEqual(["aborted"]);
    expect(results[0]).toMatchObject({ phase: "response", requestStarted: true });
    expect((await client.send(postTo(`${receiver.origin}/other`))).kind).toBe("responded");
    expect((await client.send(postTo(receiver.origin, { signal: controller.signal }))).kind).toBe("aborted");
    expect(receiver.requests).toHaveLength(31);
  });

  test("close ends what runs, closes every socket, and refuses what comes after", async () => {
    const receiver = await setUp({ answer: (request) => (request.path === "/ok" ? 200 : "hang") });
    const client = setUpClient({ resolve: () => new Promise(() => {}) });
    await Promise.all(Array.from({ length: 5 }, () => client.send(postTo(`${receiver.origin}/ok`))));
    const running = [
      client.send(postTo(receiver.origin, { timeoutMs: 30_000 })),
      client.send(postTo("https://slow.example.com/", { timeoutMs: 30_000 })),
    ];
    await receiver.received(6);
    await client.close();
    expect(kindsOf(await Promise.all(running))).toEqual(["aborted"]);
    expect(client.stats).toEqual({ openConnections: 0, idleConnections: 0, running: 0 });
    expect((await client.send(postTo(receiver.origin))).kind).toBe("aborted");
    await client.close();
  });
});

/** A receiver of raw sockets. */
async function setUpRaw(onSocket: (socket: Socket) => void): Promise<{ origin: string }> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    track(sockets, socket);
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(
    () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        destroyAll(sockets);
      }),
  );
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

/** Lets the event loop turn until the condition holds. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await setImmediate();
}
