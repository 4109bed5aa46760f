// The forms in which a request can be signed, as data: which header, which HMAC over what, written how.
// Computing is the caller's (node:crypto in the server, WebCrypto elsewhere); must never hold a secret or a key.
import {
  SIGNATURE_HEADER,
  standardSignedPrefix,
  WEBHOOK_SIGNATURE_HEADER,
  WEBHOOK_TIMESTAMP_HEADER,
} from "./signatures.ts";

export const SIGNATURE_ALGORITHMS = ["sha256", "sha512", "sha1"] as const;
export type SignatureAlgorithm = (typeof SIGNATURE_ALGORITHMS)[number];
export const SIGNATURE_ENCODINGS = ["hex", "base64"] as const;
export type SignatureEncoding = (typeof SIGNATURE_ENCODINGS)[number];

/** Profiles by name. */
export const SIGNATURE_PROFILE_NAMES = ["bigledger", "standard", "github", "shopify", "stripe"] as const;
export type SignatureProfileName = (typeof SIGNATURE_PROFILE_NAMES)[number];

/** A header of the webhook's own choice: an HMAC over the body, keyed with the secret's UTF-8 bytes. */
export interface HeaderSignatureProfile {
  readonly type: "header";
  readonly header: string;
  readonly algorithm: SignatureAlgorithm;
  readonly encoding: SignatureEncoding;
  /** Stands before the encoded HMAC: `sha256=`. */
  readonly prefix?: string | undefined;
}

export type SignatureProfile = SignatureProfileName | HeaderSignatureProfile;

/** What a webhook signs with that chose nothing. */
export const DEFAULT_SIGNATURE_PROFILES: readonly SignatureProfile[] = ["bigledger", "standard"];

/** One profile taken apart. */
export interface SignatureRecipe {
  /** The header that carries the signature; presets in lower case, a chosen one as it was written. */
  readonly header: string;
  readonly algorithm: SignatureAlgorithm;
  readonly encoding: SignatureEncoding;
  /** Which of a secret's two keys (signatures.ts). */
  readonly key: "plain" | "standard";
  /** What is signed before the body: nothing, `id.timestamp.` or `timestamp.`. */
  readonly before: "nothing" | "id_and_timestamp" | "timestamp";
  /** How signatures become the header's value. */
  readonly form:
    | { readonly kind: "prefixed"; readonly prefix: string }
    /** `v1,<base64>`, several separated by spaces. */
    | { readonly kind: "standard" }
    /** `t=<seconds>,v1=<hex>`, several `v1`. */
    | { readonly kind: "stripe" };
  /** The header that carries the timestamp, where it is not inside the value. */
  readonly timestampHeader: string | null;
  /** True when receivers accept a request if any of several signatures fits: what a rotation without a gap needs. */
  readonly carriesSeveral: boolean;
}

const overBody = (header: string, encoding: SignatureEncoding, prefix: string): SignatureRecipe => ({
  header,
  algorithm: "sha256",
  encoding,
  key: "plain",
  before: "nothing",
  form: { kind: "prefixed", prefix },
  timestampHeader: null,
  carriesSeveral: false,
});

/** The profiles that have a name. */
export const SIGNATURE_RECIPES: Readonly<Record<SignatureProfileName, SignatureRecipe>> = {
  /** BigLedger's published `X-Signature: sha256=<hex>`. */
  bigledger: overBody(SIGNATURE_HEADER, "hex", "sha256="),
  /** Standard Webhooks 1.0 (https://github.com/standard-webhooks/standard-webhooks). */
  standard: {
    header: WEBHOOK_SIGNATURE_HEADER,
    algorithm: "sha256",
    encoding: "base64",
    key: "standard",
    before: "id_and_timestamp",
    form: { kind: "standard" },
    timestampHeader: WEBHOOK_TIMESTAMP_HEADER,
    carriesSeveral: true,
  },
  /** https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries */
  github: overBody("x-hub-signature-256", "hex", "sha256="),
  /** https://shopify.dev/docs/apps/build/webhooks/verify-deliveries */
  shopify: overBody("x-shopify-hmac-sha256", "base64", ""),
  /** https://docs.stripe.com/webhooks/signature; the key is the whole secret, `whsec_` and all. */
  stripe: {
    header: "stripe-signature",
    algorithm: "sha256",
    encoding: "hex",
    key: "plain",
    before: "timestamp",
    form: { kind: "stripe" },
    timestampHeader: null,
    carriesSeveral: true,
  },
};

/** The recipe of a profile. */
export function signatureRecipe(profile: SignatureProfile): SignatureRecipe {
  if (typeof profile === "string") return SIGNATURE_RECIPES[profile];
  const recipe = overBody(profile.header, profile.encoding, profile.prefix ?? "");
  return { ...recipe, algorithm: profile.algorithm };
}

/** The text that is signed before the body bytes. `webhookId` is the event's id, the timestamp the attempt's. */
export function signedPrefix(recipe: SignatureRecipe, webhookId: string, timestampSeconds: number): string {
  switch (recipe.before) {
    case "nothing":
      return "";
    case "id_and_timestamp":
      return standardSignedPrefix(webhookId, timestampSeconds);
    case "timestamp":
      return `${timestampSeconds}.`;
    default:
      return recipe.before satisfies never;
  }
}

/**
 * The header's value for encoded HMACs: one of each secret in force. A profile that carries one takes the first.
 * @param hmacs at least one, in the recipe's encoding
 */
export function signatureValue(recipe: SignatureRecipe, hmacs: readonly string[], timestampSeconds: number): string {
  const { form } = recipe;
  const [first = ""] = hmacs;
  switch (form.kind) {
    case "prefixed":
      return form.prefix + first;
    case "standard":
      return hmacs.length === 1 ? `v1,${first}` : hmacs.map((hmac) => `v1,${hmac}`).join(" ");
    case "stripe":
      return `t=${timestampSeconds}${hmacs.map((hmac) => `,v1=${hmac}`).join("")}`;
    default:
      return form satisfies never;
  }
}
