// The address guard end to end: a canary on loopback must never be dialled, whatever DNS or sockets pretend.
import { connect } from "node:net";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import type { OutboundClient, OutboundClientOptions } from "../../../src/security/outbound/client.ts";
import type { ResolvedAddress } from "../../../src/security/outbound/resolver.ts";
import { createTestClient, postTo, resolveTo } from "../../support/outbound.ts";
import { createTestCertificate } from "../../support/receivers/certificates.ts";
import { type Receiver, startReceiver } from "../../support/receivers/receiver.ts";

const certificate = createTestCertificate({ commonName: "canary", names: ["rebind.example.com", "127.0.0.1"] });
const PUBLIC_ADDRESS = "1.2.3.4";

let canary: Receiver;
let client: OutboundClient | null = null;
/** Addresses that the client asked the operating system to connect to. */
let dialled: string[] = [];

beforeAll(async () => {
  canary = await startReceiver({ tls: certificate });
});
afterAll(() => canary.close());
beforeEach(() => {
  dialled = [];
});
afterEach(async () => {
  await client?.close();
  client = null;
});

/** A client whose dials of public addresses end at the canary's door without leaving the machine. */
function createWatchedClient(options: Partial<OutboundClientOptions>, allow = ""): OutboundClient {
  client = createTestClient(allow, {
    furtherCas: [certificate.certificate],
    connectSocket: (target) => {
      dialled.push(target.host ?? "");
      return connect(target.host === PUBLIC_ADDRESS ? { ...target, host: "127.0.0.1", port: 1 } : target);
    },
    ...options,
  });
  return client;
}

function canaryUrl(hostname: string): string {
  return `https://${hostname}:${canary.port}/`;
}

describe("names that lead inside", () => {
  test.each([
    ["loopback", ["127.0.0.1"]],
    ["one bad answer after a good one", [PUBLIC_ADDRESS, "127.0.0.1"]],
    ["one bad answer before a good one", ["127.0.0.1", PUBLIC_ADDRESS]],
    ["a bad answer behind many good ones", [...Array.from({ length: 20 }, (_, i) => `1.2.3.${i}`), "10.0.0.1"]],
    ["IPv4-mapped IPv6", ["::ffff:7f00:1"]],
    ["IPv4-compatible IPv6", ["::7f00:1"]],
    ["NAT64 of metadata", ["64:ff9b::a9fe:a9fe"]],
    ["IPv6 loopback beside public IPv4", [PUBLIC_ADDRESS, "::1"]],
    ["unspecified", ["0.0.0.0"]],
    ["metadata", ["169.254.169.254"]],
    ["not an address at all", ["localhost"]],
    ["an address with a zone", ["fe80::1%lo"]],
  ])("%s: nothing is dialled", async (_name, addresses) => {
    const result = await createWatchedClient({ resolve: resolveTo(...addresses) }).send(
      postTo(canaryUrl("rebind.example.com")),
    );
    expect(result).toMatchObject({ kind: "blocked", code: "ADDRESS_BLOCKED", address: null, requestStarted: false });
    for (const address of addresses) expect(JSON.stringify(result)).not.toContain(`"${address}`);
    expect(JSON.stringify(result)).not.toContain("127.0.0.1");
    expect(dialled).toEqual([]);
    expect(canary.connectionCount).toBe(0);
  });

  test("a name that turns bad between two attempts is blocked at the second", async () => {
    let nowMs = 0;
    let asked = 0;
    const resolve = async (): Promise<readonly ResolvedAddress[]> => {
      asked++;
      return [{ address: asked === 1 ? PUBLIC_ADDRESS : "127.0.0.1", ttlSeconds: 0 }];
    };
    const watched = createWatchedClient({ resolve, nowMs: () => nowMs });
    expect((await watched.send(postTo(canaryUrl("rebind.example.com")))).kind).toBe("connection_failed");
    nowMs = 6000;
    expect((await watched.send(postTo(canaryUrl("rebind.example.com")))).kind).toBe("blocked");
    expect(dialled).toEqual([PUBLIC_ADDRESS]);
    expect(canary.connectionCount).toBe(0);
  });

  test("a name that alternates with every query is only ever dialled at its good address", async () => {
    let asked = 0;
    const resolve = async (): Promise<readonly ResolvedAddress[]> => {
      asked++;
      return [{ address: asked % 2 === 0 ? "127.0.0.1" : PUBLIC_ADDRESS, ttlSeconds: 0 }];
    };
    let nowMs = 0;
    const watched = createWatchedClient({ resolve, nowMs: () => nowMs });
    const kinds: string[] = [];
    for (let i = 0; i < 6; i++) {
      kinds.push((await watched.send(postTo(canaryUrl("rebind.example.com")))).kind);
      nowMs += 10_000;
    }
    expect(new Set(kinds)).toEqual(new Set(["connection_failed", "blocked"]));
    expect(new Set(dialled)).toEqual(new Set([PUBLIC_ADDRESS]));
    expect(canary.connectionCount).toBe(0);
  });

  test("a socket that ends elsewhere than at the checked address gets no byte", async () => {
    const watched = createWatchedClient({
      resolve: resolveTo(PUBLIC_ADDRESS),
      connectSocket: () => connect({ host: "127.0.0.1", port: canary.port }),
    });
    const result = await watched.send(postTo(canaryUrl("rebind.example.com")));
    expect(result).toMatchObject({ kind: "blocked", code: "ADDRESS_BLOCKED", requestStarted: false });
    expect(canary.requests).toHaveLength(0);
  });
});

describe("literal addresses", () => {
  test.each(["127.0.0.1", "[::1]", "2130706433", "[::ffff:127.0.0.1]", "0x7f.1"])(
    "https://%s is blocked at once",
    async (host) => {
      const result = await createWatchedClient({}).send(postTo(canaryUrl(host)));
      expect(result).toMatchObject({ kind: "blocked", code: "URL_ADDRESS", requestStarted: false });
      expect(dialled).toEqual([]);
    },
  );

  test("even loopback over http is blocked when nothing is allowed", async () => {
    const result = await createWatchedClient({}).send(postTo(`http://127.0.0.1:${canary.port}/`));
    expect(result).toMatchObject({ kind: "blocked", code: "URL_ADDRESS" });
  });
});

describe("the checked address is the one dialled", () => {
  test("a public name pinned to an allowed address keeps its Host, SNI and certificate check", async () => {
    const receiver = await startReceiver({ tls: certificate });
    const watched = createWatchedClient({ resolve: resolveTo("127.0.0.1") }, `127.0.0.1:${receiver.port}`);
    const result = await watched.send(postTo(`https://rebind.example.com:${receiver.port}/hook?a=1`));
    expect(result).toMatchObject({ kind: "responded", status: 200, address: `127.0.0.1:${receiver.port}` });
    expect(receiver.requests[0]).toMatchObject({
      path: "/hook?a=1",
      headers: { host: `rebind.example.com:${receiver.port}` },
    });
    expect(dialled).toEqual(["127.0.0.1"]);
    const wrong = await watched.send(postTo(`https://other.example.com:${receiver.port}/`));
    expect(wrong).toMatchObject({ kind: "tls_failed", code: "ERR_TLS_CERT_ALTNAME_INVALID" });
    expect(receiver.requests).toHaveLength(1);
    await receiver.close();
  });

  test("an allowed name is resolved by the system and may speak http", async () => {
    const receiver = await startReceiver();
    const watched = createWatchedClient({}, `localhost:${receiver.port}`);
    const result = await watched.send(postTo(`http://localhost:${receiver.port}/`));
    expect(result).toMatchObject({ kind: "responded", status: 200, address: `127.0.0.1:${receiver.port}` });
    expect(dialled).toEqual(["127.0.0.1"]);
    await receiver.close();
  });

  test("when the first address refuses, the next one is tried", async () => {
    const receiver = await startReceiver({ tls: certificate });
    const resolve = resolveTo("127.0.0.2", "127.0.0.1");
    const watched = createWatchedClient({ resolve }, "127.0.0.0/8");
    const result = await watched.send(postTo(`https://rebind.example.com:${receiver.port}/`));
    expect(result).toMatchObject({ kind: "responded", address: `127.0.0.1:${receiver.port}` });
    expect(dialled).toEqual(["127.0.0.2", "127.0.0.1"]);
    await receiver.close();
  });
});

describe("proxies of the environment", () => {
  afterEach(() => vi.unstubAllEnvs());

  test("are ignored", async () => {
    const proxy = await startReceiver();
    const receiver = await startReceiver();
    for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]) {
      vi.stubEnv(name, proxy.origin);
    }
    vi.stubEnv("NODE_USE_ENV_PROXY", "1");
    const watched = createWatchedClient({}, `127.0.0.1:${receiver.port}`);
    expect((await watched.send(postTo(`${receiver.origin}/`))).kind).toBe("responded");
    expect(proxy.connectionCount).toBe(0);
    expect(receiver.requests).toHaveLength(1);
    await proxy.close();
    await receiver.close();
  });
});
