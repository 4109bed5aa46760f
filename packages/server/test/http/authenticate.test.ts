// Who may come in: keys by their hash, remembered while the configuration is confirmed, forgotten when it changes.
import { randomFillSync } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ipMatcher } from "../../src/http/allowed-ips.ts";
import { mintApiKey } from "../../src/security/api-keys.ts";
import { type Face, openFace } from "./support.ts";

let face: Face;
let tenant: string;
beforeAll(async () => {
  face = await openFace();
  tenant = await face.addTenant("one");
});
afterAll(() => face.close());
beforeEach(() => {
  face.configuration.fresh = true;
});

const statusOf = async (key: string, headers: Record<string, string> = {}, remoteAddress = "127.0.0.1") =>
  (
    await face.inject({
      url: "/v1/webhooks",
      headers: { authorization: `Bearer ${key}`, ...headers },
      remoteAddress,
    })
  ).status;
const revoke = () => face.owner.query("update api_key set revoked_at = now()");

describe("a request without a valid key", () => {
  test("gets the same answer whatever is wrong", async () => {
    const expired = await face.addKey(tenant, { expiresAtMs: face.clock.nowMs() - 1 });
    const bodies = new Set<string>();
    for (const authorization of [
      undefined,
      "",
      "Basic abc",
      "Bearer",
      "Bearer short",
      `Bearer ${"x".repeat(40)}`,
      `Bearer ${expired}`,
      `Bearer ${expired} x`,
    ]) {
      const answer = await face.inject({
        url: "/v1/webhooks",
        headers: authorization === undefined ? {} : { authorization },
      });
      expect(answer.status).toBe(401);
      expect(answer.headers["www-authenticate"]).toContain("Bearer");
      bodies.add(answer.body.error.message);
    }
    expect(bodies.size).toBe(1);
  });

  test("that was mistyped is refused without asking the database: its checksum does not hold", async () => {
    const key = mintApiKey(true, (target) => void randomFillSync(target));
    const mistyped = `${key.slice(0, 20)}${key[20] === "x" ? "y" : "x"}${key.slice(21)}`;
    const locker = await face.pools.owner.connect();
    try {
      // Who asked for a key now would wait.
      await locker.query("begin");
      await locker.query("lock table api_key in access exclusive mode");
      expect(await statusOf(mistyped)).toBe(401);
    } finally {
      await locker.query("rollback");
      locker.release();
    }
  });

  test("is refused before its body is looked at", async () => {
    const answer = await face.inject({
      method: "POST",
      url: "/v1/webhooks",
      payload: "x",
      headers: { "content-type": "a/b" },
    });
    expect(answer.status).toBe(401);
  });
});

describe("a valid key", () => {
  test("is taken with any case of the scheme, and a bootstrap key has any form", async () => {
    const key = await face.addKey(tenant);
    const answer = await face.inject({ url: "/v1/webhooks", headers: { authorization: `bearer   ${key}` } });
    expect(answer.status).toBe(200);
  });

  test("is asked for once, also by many at once, and not again while the configuration is confirmed", async () => {
    const key = await face.addKey(tenant);
    expect(new Set(await Promise.all(Array.from({ length: 20 }, () => statusOf(key))))).toEqual(new Set([200]));
    await revoke();
    for (let i = 0; i < 10; i += 1) {
      face.clock.atMs += 2_000;
      expect(await statusOf(key)).toBe(200);
    }
  });

  test("is forgotten at once when the configuration version changes", async () => {
    const key = await face.addKey(tenant);
    expect(await statusOf(key)).toBe(200);
    await revoke();
    face.configuration.version += 1;
    expect(await statusOf(key)).toBe(401);
  });

  test("outlives the last confirmation by 3 seconds (5 after the change) and no longer", async () => {
    const key = await face.addKey(tenant);
    expect(await statusOf(key)).toBe(200);
    await revoke();
    face.configuration.fresh = false;
    face.clock.atMs += 3_000;
    expect(await statusOf(key)).toBe(200);
    face.clock.atMs += 1;
    expect(await statusOf(key)).toBe(401);
  });

  test("is not remembered when it was read just before the change that revoked it", async () => {
    const key = await face.addKey(tenant);
    const other = await face.addKey(tenant);
    const locker = await face.pools.owner.connect();
    try {
      // Holds the look-up between reading the key and reading its tenant.
      await locker.query("begin");
      await locker.query("lock table tenant in access exclusive mode");
      const asking = statusOf(key);
      const isWaiting = async () =>
        (await locker.query("select 1 from pg_locks where relation = 'tenant'::regclass and not granted")).rows.length >
        0;
      while (!(await isWaiting()));
      await revoke();
      face.configuration.version += 1;
      // Any other request is the first to see the new version, and empties what is remembered.
      const another = statusOf(other);
      await locker.query("commit");
      expect(await asking).toBe(200);
      await another;
    } finally {
      locker.release();
    }
    expect(await statusOf(key)).toBe(401);
  });

  test("expires at its time, although it is remembered", async () => {
    const key = await face.addKey(tenant, { expiresAtMs: face.clock.nowMs() + 1_000 });
    expect(await statusOf(key)).toBe(200);
    face.clock.atMs += 1_000;
    expect(await statusOf(key)).toBe(401);
  });

  test("that was unknown a moment ago works a second later without any change", async () => {
    const { createHash } = await import("node:crypto");
    const key = "a-bootstrap-key-of-any-form";
    expect(await statusOf(key)).toBe(401);
    const other = await face.addKey(tenant);
    await face.owner.query("update api_key set key_hash = $1 where key_hash = $2", [
      createHash("sha256").update(key).digest(),
      createHash("sha256").update(other).digest(),
    ]);
    face.clock.atMs += 1_001;
    expect(await statusOf(key)).toBe(200);
  });
});

describe("an IP allow-list", () => {
  test("lets its addresses and ranges in and nobody else", async () => {
    const key = await face.addKey(tenant, { allowedIps: ["203.0.113.7", "2001:db8::/32", "10.0.0.0/8", "nonsense"] });
    for (const ip of ["203.0.113.7", "10.255.0.1", "2001:db8::1", "::ffff:203.0.113.7"])
      expect(await statusOf(key, {}, ip)).toBe(200);
    for (const ip of ["203.0.113.8", "11.0.0.1", "2001:db9::1", "::1"]) expect(await statusOf(key, {}, ip)).toBe(403);
  });

  test("is not fooled by X-Forwarded-For from an untrusted peer", async () => {
    const key = await face.addKey(tenant, { allowedIps: ["203.0.113.7"] });
    expect(await statusOf(key, { "x-forwarded-for": "203.0.113.7" }, "198.51.100.1")).toBe(403);
  });

  test("that is empty or unreadable lets nobody in", () => {
    expect(ipMatcher([])("203.0.113.7")).toBe(false);
    expect(ipMatcher(["x", "1.2.3.4/99"])("1.2.3.4")).toBe(false);
    expect(ipMatcher(["1.2.3.4"])("not an address")).toBe(false);
  });
});

describe("X-Company-Id", () => {
  test("picks a company of the tenant; another's is told apart clearly", async () => {
    const other = await face.addTenant("two");
    for (const [owner, id] of [
      [tenant, "company_mine"],
      [tenant, "company_other"],
      [other, "company_theirs"],
    ] as const) {
      await face.owner.query(
        "insert into company (tenant_id, created_at, config_version, id, name) values ($1, now(), 1, $2, 'c')",
        [owner, id],
      );
    }
    const key = await face.addKey(tenant);
    expect(await statusOf(key, { "x-company-id": "company_mine" })).toBe(200);
    expect(await statusOf(key, { "x-company-id": "company_mine" })).toBe(200);
    expect(await statusOf(key, { "x-company-id": "company_theirs" })).toBe(403);
    const bound = await face.addKey(tenant, { companyId: "company_mine" });
    expect(await statusOf(bound)).toBe(200);
    expect(await statusOf(bound, { "x-company-id": "company_mine" })).toBe(200);
    expect(await statusOf(bound, { "x-company-id": "company_other" })).toBe(403);
  });
});
