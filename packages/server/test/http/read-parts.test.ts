// The pure parts of reading back: bounds of ids, headers made again, excerpts of bodies.
import { createHash, randomFillSync } from "node:crypto";
import { type Id, IdGenerator, uuidFromBytes } from "@posthorn/contract";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { prepareWebhook, requestHeaders, sealNow } from "../../src/deliver/request.ts";
import { bodyExcerpt } from "../../src/http/read/body-excerpt.ts";
import { receivedHeaders, sentHeaders } from "../../src/http/read/request-headers.ts";
import { highestUuid, lowestUuid, millisecondsOfUuid, readBackwards, spanOf } from "../../src/lib/id-bounds.ts";
import { laneOf } from "../../src/lib/lane.ts";
import { isSecretHeader, MASK } from "../../src/lib/masking.ts";
import type { StoredConfiguration } from "../../src/manage/webhook-configuration.ts";
import type { Webhook } from "../../src/storage/configuration.ts";

const anyMs = fc.integer({ min: 0, max: 2 ** 48 - 1 });

describe("ids as bounds of time", () => {
  test("every id of a millisecond lies between its bounds, and no id of another", () => {
    const ids = new IdGenerator(
      () => 0,
      (target) => void randomFillSync(target),
    );
    fc.assert(
      fc.property(anyMs, anyMs, (ms, other) => {
        const uuid = uuidFromBytes(ids.next(ms));
        expect(millisecondsOfUuid(uuid)).toBe(ms);
        expect(lowestUuid(ms) <= uuid && uuid <= highestUuid(ms)).toBe(true);
        if (other < ms) expect(highestUuid(other) < uuid).toBe(true);
        if (other > ms) expect(lowestUuid(other) > uuid).toBe(true);
      }),
    );
  });

  test("reading backwards gives every row of the span once, in order, however far apart they are", async () => {
    const nowMs = 4_000 * 86_400_000;
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 0, max: 4_010 * 1_440 }).map((minutes) => minutes * 60_000)),
        fc.integer({ min: 1, max: 20 }),
        fc.option(fc.integer({ min: 0, max: nowMs }), { nil: null }),
        fc.option(fc.integer({ min: 0, max: nowMs }), { nil: null }),
        async (times, limit, fromMs, toMs) => {
          const all = times.map(lowestUuid).toSorted().reverse();
          const span = spanOf({ fromMs, toMs }, "ffffffff-ffff-ffff-ffff-ffffffffffff", nowMs);
          const inside = all.filter((uuid) => uuid >= span.fromUuid && uuid < span.beforeUuid);
          const read = await readBackwards(span, limit, async (part, count) =>
            inside.filter((uuid) => uuid >= part.fromUuid && uuid < part.beforeUuid).slice(0, count),
          );
          expect(read).toEqual(inside.slice(0, limit));
        },
      ),
    );
  });
});

describe("headers made again", () => {
  const custom = { "X-Shop": "7", "X-API-Key": MASK, "X-Token": "l3gacy" };
  const attempt = {
    publicEventId: "order-7",
    eventType: "invoice.paid",
    deliveryId: "dlv_1" as Id<"delivery">,
    number: 3,
    timestampSeconds: 1_700_000_000,
  };
  const hex = { type: "header", header: "X-Own", algorithm: "sha512", encoding: "hex", prefix: "v=" } as const;
  const cases: [string, Partial<StoredConfiguration>][] = [
    ["by default", {}],
    ["with an API key", { auth: { type: "apiKey", header: "X-Client", value: MASK } }],
    ["with a bearer token", { auth: { type: "bearer", token: MASK }, signature: { profiles: ["stripe"] } }],
    [
      "with a password",
      { auth: { type: "basic", username: "u", password: MASK }, signature: { profiles: ["github"] } },
    ],
    ["with OAuth", { auth: { type: "oauth2", accessToken: MASK }, signature: { profiles: ["shopify", hex] } }],
    ["as a CloudEvent", { format: "cloudEvents" }],
    ["without a body", { format: "none" }],
    ["with a content type", { transform: { template: {}, contentType: "application/xml" } }],
  ];
  test.each(cases)("are those that were sent, name by name and in order, masked: %s", async (_name, changes) => {
    const configuration: StoredConfiguration = { url: "https://e.com/", events: ["*"], headers: custom, ...changes };
    const stored = (id: string) => ({ id, ciphertext: id, validUntilMs: null });
    const webhook = {
      url: configuration.url,
      method: "POST",
      format: configuration.format ?? "bigledger",
      transform: null,
      perEvent: null,
      privacy: null,
      headers: custom,
      auth: configuration.auth ?? { type: "none" },
      signatureProfiles: configuration.signature?.profiles ?? null,
      allowedIps: null,
      ...(configuration.transform === undefined ? {} : { transform: configuration.transform }),
      secrets: {
        signing: stored("s1gning-key"),
        signingNext: null,
        signingPrevious: null,
        auth: stored("t0p"),
        headers: new Map([["x-api-key", stored("s3cret")]]),
      },
    } as unknown as Webhook;
    const prepared = await prepareWebhook(webhook, async (_webhook, secret) => secret.ciphertext);
    const sent = requestHeaders(prepared, attempt, sealNow(Buffer.from("{}"), prepared, attempt), null);
    const pairs = Array.from({ length: sent.length / 2 }, (_, i) => [sent[2 * i], sent[2 * i + 1]] as const);
    const shown = Object.entries(sentHeaders(configuration, { ...attempt, startedAtMs: 1_700_000_000_999 }, null));
    expect(shown.map(([name]) => name)).toEqual(pairs.map(([name]) => name));
    for (const [index, [name, value]] of shown.entries()) {
      if (value.includes(MASK)) expect(pairs[index]?.[1], name).not.toBe(value);
      else expect(pairs[index]?.[1], name).toBe(value);
    }
    const alsoShown = JSON.stringify([shown, prepared.shownHeaders]);
    const basic = Buffer.from("u:t0p").toString("base64");
    for (const secret of ["t0p", "s3cret", "l3gacy", "s1gning", basic]) expect(alsoShown).not.toContain(secret);
    expect(sent).toContain("s3cret");
    expect(sent).toContain("l3gacy");
  });

  test("of a receiver survive any name and hide its cookies", () => {
    expect(receivedHeaders("Constructor: a\n__proto__: b\nno colon\nSet-Cookie: s=1\nset-cookie: t=2\n")).toEqual(
      Object.fromEntries([
        ["constructor", "a"],
        ["__proto__", "b"],
        ["set-cookie", "********"],
      ]),
    );
    expect(receivedHeaders(null)).toEqual({});
  });

  test("of these names are secret", () => {
    for (const name of [
      "Authorization",
      "X-API-Key",
      "api-key",
      "X-Auth-Token",
      "Cookie",
      "X-Secret",
      "x-access-token",
    ]) {
      expect(isSecretHeader(name), name).toBe(true);
    }
    for (const name of ["X-Shop", "Accept", "X-Tenant", "X-Author", "Content-Type"])
      expect(isSecretHeader(name), name).toBe(false);
  });
});

describe("an excerpt of a body", () => {
  test("is text wherever the whole was text, however it was cut", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.nat(), (text, cut) => {
        const whole = Buffer.from(text);
        const bytes = whole.subarray(0, cut % (whole.length + 1));
        const excerpt = bodyExcerpt(bytes, true);
        expect(excerpt.bodyEncoding).toBe("utf8");
        expect(whole.toString("utf8").startsWith(excerpt.body)).toBe(true);
      }),
    );
  });

  test("is base64, without loss, where it is not", () => {
    const bytes = Buffer.from([0x61, 0xff, 0xfe, 0x00, 0x80]);
    const excerpt = bodyExcerpt(bytes, true);
    expect(excerpt.bodyEncoding).toBe("base64");
    expect(Buffer.from(excerpt.body, "base64").equals(bytes)).toBe(true);
    expect(bodyExcerpt(Buffer.from("gr\u00fc").subarray(0, 3), false).bodyEncoding).toBe("base64");
  });
});

describe("lanes", () => {
  test("never change: these are stored", () => {
    const of = (seed: string) => laneOf(createHash("sha256").update(seed).digest().subarray(0, 16));
    expect(["a", "b", "c", "d"].map(of)).toEqual([197, 146, 122, 27]);
    expect(laneOf(new Uint8Array(16))).toBe(28);
  });

  test("take ids made one after the other about evenly", () => {
    const ids = new IdGenerator(
      () => 1_700_000_000_000,
      (target) => void randomFillSync(target),
    );
    const counts = new Array<number>(256).fill(0);
    for (let i = 0; i < 25_600; i += 1) {
      const lane = laneOf(ids.next());
      counts[lane] = (counts[lane] as number) + 1;
    }
    expect(Math.min(...counts)).toBeGreaterThan(50);
    expect(Math.max(...counts)).toBeLessThan(170);
  });
});
