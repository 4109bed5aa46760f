// Checks that a request comes from the holder of the secret and is unchanged: any profile that a webhook can sign with.
// Must never tell a secret, nor compare digests in a time that depends on them (WebCrypto's verify does not).
import {
  type SignatureAlgorithm,
  type SignatureProfile,
  type SignatureRecipe,
  signatureRecipe,
  signedPrefix,
  signingKeys,
  WEBHOOK_ID_HEADER,
} from "@posthorn/contract";
import { InvalidArgument } from "../errors.ts";
import { type HeadersLike, headerOf } from "./headers.ts";

/** The body as it was received: bytes, or the text of them. Never what a parser made of it. */
export type RawBody = Uint8Array | ArrayBuffer | string;

export interface SignatureOptions {
  /** Of Node.js, of fetch, or any record of names and values. */
  readonly headers: HeadersLike;
  readonly body: RawBody;
  /** The webhook's signing secret; while it is being rotated, the old one and the new one. */
  readonly secret: string | readonly string[];
  /**
   * The profile to insist on; "standard" unless given. "bigledger" (`X-Signature`) and others without a timestamp do
   * not show that a request was captured and sent again.
   */
  readonly profile?: SignatureProfile;
  /** How old, or how far in the future, a signed timestamp may be; 300 unless given. */
  readonly toleranceSeconds?: number;
  /** Milliseconds since 1970, for tests. */
  readonly nowMs?: number;
}

/** Why a request is not to be believed. */
export type RefusalReason =
  | "BODY_NOT_BYTES"
  | "MISSING_HEADER"
  | "MALFORMED_HEADER"
  | "TIMESTAMP_TOO_OLD"
  | "TIMESTAMP_IN_FUTURE"
  | "SIGNATURE_MISMATCH"
  | "BODY_NOT_JSON";

export interface Refused {
  readonly ok: false;
  readonly reason: RefusalReason;
  /** For the receiver's log; it holds neither secret nor payload. */
  readonly message: string;
}

export type SignatureCheck =
  | { readonly ok: true; readonly bytes: Uint8Array; readonly webhookId: string | null; readonly signedAt: Date | null }
  | Refused;

const DEFAULT_TOLERANCE_SECONDS = 300;
const encoder = new TextEncoder();

/**
 * Checks the signature of a request.
 * @throws InvalidArgument for a secret or a tolerance that cannot be used
 */
export async function verifySignature(options: SignatureOptions): Promise<SignatureCheck> {
  const recipe = signatureRecipe(options.profile ?? "standard");
  const keys = keysOf(options.secret, recipe);
  const tolerance = options.toleranceSeconds ?? DEFAULT_TOLERANCE_SECONDS;
  if (!(tolerance >= 0)) throw new InvalidArgument("toleranceSeconds: expected a number from 0 on.");
  const bytes = bytesOf(options.body);
  if (bytes === null) return refused("BODY_NOT_BYTES", PARSED_TOO_EARLY);

  const value = headerOf(options.headers, recipe.header);
  if (value === null) return missing(recipe.header, options);
  const webhookId = headerOf(options.headers, WEBHOOK_ID_HEADER);
  if (recipe.before === "id_and_timestamp" && webhookId === null) return missing(WEBHOOK_ID_HEADER, options);
  const claim = parseValue(recipe, value, options.headers);
  if (!claim.ok) return claim;
  if (claim.timestamp !== null) {
    const late = outsideTolerance(claim.timestamp, tolerance, options.nowMs ?? Date.now());
    if (late !== null) return late;
  }

  const prefix = encoder.encode(signedPrefix(recipe, webhookId ?? "", claim.timestamp ?? 0));
  const signed = new Uint8Array(prefix.length + bytes.length);
  signed.set(prefix);
  signed.set(bytes, prefix.length);
  if (!(await someFits(keys, recipe.algorithm, claim.digests, signed))) {
    const tried = keys.length === 1 ? "the secret given" : `any of the ${keys.length} secrets given`;
    return refused(
      "SIGNATURE_MISMATCH",
      `${recipe.header} does not fit ${tried}. Is it this webhook's secret, and is the body what was received, byte for byte?`,
    );
  }
  return { ok: true, bytes, webhookId, signedAt: claim.timestamp === null ? null : new Date(claim.timestamp * 1_000) };
}

const PARSED_TOO_EARLY =
  "The body was parsed before it was verified. Give the bytes as received: express.raw() instead of express.json(), " +
  "a content type parser with parseAs: 'buffer' in Fastify, await request.text() with fetch.";

export function refused(reason: RefusalReason, message: string): Refused {
  return { ok: false, reason, message };
}

function missing(header: string, options: SignatureOptions): Refused {
  const profile = options.profile ?? "standard";
  const hint =
    profile === "standard" && headerOf(options.headers, "x-signature") !== null
      ? ' The request carries X-Signature only: `profile: "bigledger"` accepts that, without protection from replays.'
      : "";
  return refused("MISSING_HEADER", `There is no header ${header}. Is this a request of Posthorn?${hint}`);
}

function bytesOf(body: unknown): Uint8Array | null {
  if (typeof body === "string") return encoder.encode(body);
  if (body instanceof Uint8Array) return body;
  return body instanceof ArrayBuffer ? new Uint8Array(body) : null;
}

function keysOf(secret: string | readonly string[], recipe: SignatureRecipe): Uint8Array[] {
  const secrets = typeof secret === "string" ? [secret] : secret;
  if (!Array.isArray(secrets) || secrets.length === 0 || secrets.some((one) => typeof one !== "string" || one === "")) {
    throw new InvalidArgument(
      "secret: expected the webhook's signing secret, or a list of them; is the setting empty?",
    );
  }
  return secrets.map((one) => {
    const keys = signingKeys(one);
    if (keys === null) throw new InvalidArgument("secret: what follows whsec_ is not base64.");
    return keys[recipe.key];
  });
}

type Claim =
  | { readonly ok: true; readonly timestamp: number | null; readonly digests: readonly Uint8Array[] }
  | Refused;

/** Takes the header's value apart by the recipe's form. */
function parseValue(recipe: SignatureRecipe, value: string, headers: HeadersLike): Claim {
  let timestampText = recipe.timestampHeader === null ? null : headerOf(headers, recipe.timestampHeader);
  if (recipe.timestampHeader !== null && timestampText === null) {
    return refused("MISSING_HEADER", `There is no header ${recipe.timestampHeader}.`);
  }
  let encoded: string[];
  switch (recipe.form.kind) {
    case "prefixed": {
      const { prefix } = recipe.form;
      encoded = value.startsWith(prefix) ? [value.slice(prefix.length)] : [];
      break;
    }
    case "standard":
      encoded = value
        .split(" ")
        .filter((part) => part.startsWith("v1,"))
        .map((part) => part.slice(3));
      break;
    case "stripe": {
      const parts = value.split(",").map((part) => part.trim());
      timestampText = parts.find((part) => part.startsWith("t="))?.slice(2) ?? "";
      encoded = parts.filter((part) => part.startsWith("v1=")).map((part) => part.slice(3));
      break;
    }
    default:
      return recipe.form satisfies never;
  }
  if (timestampText !== null && !/^[0-9]{1,12}$/.test(timestampText)) {
    return refused("MALFORMED_HEADER", "The signed timestamp is not a number of seconds.");
  }
  const digests = encoded.map((text) => decode(text, recipe.encoding)).filter((digest) => digest !== null);
  if (digests.length === 0)
    return refused("MALFORMED_HEADER", `${recipe.header} holds no signature of the form expected.`);
  return { ok: true, timestamp: timestampText === null ? null : Number(timestampText), digests };
}

function decode(text: string, encoding: SignatureRecipe["encoding"]): Uint8Array | null {
  if (encoding === "hex") {
    if (!/^(?:[0-9a-f]{2})+$/i.test(text)) return null;
    return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  }
  try {
    return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  } catch {
    return null;
  }
}

function outsideTolerance(timestamp: number, toleranceSeconds: number, nowMs: number): Refused | null {
  const ageSeconds = Math.round(nowMs / 1_000) - timestamp;
  if (ageSeconds > toleranceSeconds) {
    return refused(
      "TIMESTAMP_TOO_OLD",
      `The request was signed ${ageSeconds} s ago; ${toleranceSeconds} s are allowed. Is it a repeated one, or is this clock ahead?`,
    );
  }
  if (-ageSeconds > toleranceSeconds) {
    return refused(
      "TIMESTAMP_IN_FUTURE",
      `The request was signed ${-ageSeconds} s in the future; ${toleranceSeconds} s are allowed. Is this clock behind?`,
    );
  }
  return null;
}

const HASHES: Readonly<Record<SignatureAlgorithm, string>> = { sha1: "SHA-1", sha256: "SHA-256", sha512: "SHA-512" };

/** True when one of the digests is the HMAC of one of the keys. Several of both, while a secret is rotated. */
async function someFits(
  keys: readonly Uint8Array[],
  algorithm: SignatureAlgorithm,
  digests: readonly Uint8Array[],
  signed: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const { subtle } = globalThis.crypto;
  const hmac = { name: "HMAC", hash: HASHES[algorithm] };
  for (const bytes of keys) {
    const key = await subtle.importKey("raw", new Uint8Array(bytes), hmac, false, ["verify"]);
    for (const digest of digests) {
      if (await subtle.verify("HMAC", key, new Uint8Array(digest), signed)) return true;
    }
  }
  return false;
}
