// Proves each profile against the recipe that its inventor publishes, computed here with node:crypto by hand.
import { createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  DEFAULT_SIGNATURE_PROFILES,
  SIGNATURE_PROFILE_NAMES,
  type SignatureProfile,
  signatureRecipe,
  signatureValue,
  signedPrefix,
} from "../src/signature-profiles.ts";
import { signingKeys, standardWebhooksSecret } from "../src/signatures.ts";

const BODY = Buffer.from('{"event":"invoice.paid","total":2567.50,"name":"Ünïcode"}');
const ID = "evt_01JDZZZZZZZZZZZZZZZZZZZZZZ";
const SECONDS = 1_700_000_000;

/** What a sender does with a recipe. */
function signed(profile: SignatureProfile, ...secrets: string[]): string {
  const recipe = signatureRecipe(profile);
  const hmacs = secrets.map((secret) => {
    const key = signingKeys(secret)?.[recipe.key] as Uint8Array;
    const before = signedPrefix(recipe, ID, SECONDS);
    return createHmac(recipe.algorithm, key).update(before).update(BODY).digest(recipe.encoding);
  });
  return signatureValue(recipe, hmacs, SECONDS);
}
const hmac = (algorithm: string, key: string | Buffer, text: Buffer | string) =>
  createHmac(algorithm, key).update(text);

describe("a profile of one signature", () => {
  test("bigledger: X-Signature, sha256= and hexadecimal, over the body alone", () => {
    expect(signatureRecipe("bigledger")).toMatchObject({ header: "x-signature", carriesSeveral: false });
    expect(signed("bigledger", "your-secret-key")).toBe(
      `sha256=${hmac("sha256", "your-secret-key", BODY).digest("hex")}`,
    );
  });

  test("bigledger and github take a whsec_ secret as the text it is", () => {
    const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for (const profile of ["bigledger", "github"] as const) {
      expect(signed(profile, secret)).toBe(`sha256=${hmac("sha256", secret, BODY).digest("hex")}`);
    }
  });

  test("github: the example of GitHub's documentation", () => {
    // https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries#testing-the-webhook-payload-validation
    const key = signingKeys("It's a Secret to Everybody")?.plain as Uint8Array;
    const recipe = signatureRecipe("github");
    const value = signatureValue(recipe, [createHmac("sha256", key).update("Hello, World!").digest("hex")], 0);
    expect(value).toBe("sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    expect(recipe.header).toBe("x-hub-signature-256");
  });

  test("shopify: bare base64 in X-Shopify-Hmac-Sha256", () => {
    expect(signatureRecipe("shopify").header).toBe("x-shopify-hmac-sha256");
    expect(signed("shopify", "hush-hush")).toBe(hmac("sha256", "hush-hush", BODY).digest("base64"));
  });

  test("a named header: any of three algorithms, two encodings, with a prefix or bare", () => {
    for (const algorithm of ["sha256", "sha512", "sha1"] as const) {
      for (const encoding of ["hex", "base64"] as const) {
        for (const prefix of [undefined, "v0="]) {
          const profile = { type: "header", header: "x-webhook-signature", algorithm, encoding, prefix } as const;
          const expected = (prefix ?? "") + hmac(algorithm, "your-secret-key", BODY).digest(encoding);
          expect(signed(profile, "your-secret-key")).toBe(expected);
          expect(signatureRecipe(profile)).toMatchObject({ header: "x-webhook-signature", carriesSeveral: false });
        }
      }
    }
  });

  test("uses the first of two secrets and says nothing of the second", () => {
    for (const profile of ["bigledger", "github", "shopify"] as const) {
      expect(signed(profile, "the-old-secret", "the-new-secret")).toBe(signed(profile, "the-old-secret"));
    }
  });
});

describe("a profile of several signatures", () => {
  test("standard: v1 and base64 over id, timestamp and body, separated by spaces", () => {
    const [old, fresh] = ["the-old-secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"];
    const text = `${ID}.${SECONDS}.${BODY.toString()}`;
    const one = (secret: string) => {
      const key = Buffer.from(standardWebhooksSecret(secret).slice(6), "base64");
      return `v1,${hmac("sha256", key, text).digest("base64")}`;
    };
    expect(signed("standard", old)).toBe(one(old));
    expect(signed("standard", old, fresh)).toBe(`${one(old)} ${one(fresh)}`);
    expect(signatureRecipe("standard").timestampHeader).toBe("webhook-timestamp");
  });

  test("stripe: t and a v1 for each secret, over timestamp and body", () => {
    const one = (secret: string) => `v1=${hmac("sha256", secret, `${SECONDS}.${BODY.toString()}`).digest("hex")}`;
    expect(signed("stripe", "whsec_abcd")).toBe(`t=${SECONDS},${one("whsec_abcd")}`);
    expect(signed("stripe", "old", "new")).toBe(`t=${SECONDS},${one("old")},${one("new")}`);
    expect(signatureRecipe("stripe").header).toBe("stripe-signature");
  });
});

test("no two named profiles share a header, and the default is BigLedger's and the standard's", () => {
  const headers = SIGNATURE_PROFILE_NAMES.map((name) => signatureRecipe(name).header);
  expect(new Set(headers).size).toBe(headers.length);
  expect(DEFAULT_SIGNATURE_PROFILES).toEqual(["bigledger", "standard"]);
});
