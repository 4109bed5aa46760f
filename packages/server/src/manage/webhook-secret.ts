// Signing secrets: what an integrator may choose, and what we make for one who does not choose.
// The text of a secret leaves here only towards encryption and the one answer that shows it.
import { signingKeys, standardWebhooksSecret } from "@posthorn/contract";
import { MASK } from "../lib/masking.ts";

const GENERATED_BYTES = 32;
const MIN_LENGTH = 8;
const MAX_LENGTH = 256;
/** Standard Webhooks asks for 24 to 64 bytes; a little shorter or longer still works everywhere. */
const MIN_DECODED_BYTES = 16;
const MAX_DECODED_BYTES = 128;
const PRINTABLE = /^[^\p{Cc}\p{Cs}]*$/u;

/** @param random fills its argument with random bytes */
export function generateSecret(random: (target: Uint8Array) => void): string {
  const bytes = new Uint8Array(GENERATED_BYTES);
  random(bytes);
  return `whsec_${Buffer.from(bytes).toString("base64")}`;
}

/** Why a text is no signing secret, or null when it is one. */
export function secretProblem(secret: string): string | null {
  if (secret === MASK) return `${MASK} stands for a secret that is stored. Give the secret itself, or leave it out.`;
  const length = [...secret].length;
  if (length < MIN_LENGTH || length > MAX_LENGTH) {
    return `A secret has ${MIN_LENGTH} to ${MAX_LENGTH} characters; this one has ${length}.`;
  }
  if (!PRINTABLE.test(secret)) return "A secret has printable characters only.";
  const keys = signingKeys(secret);
  if (keys === null) return "After whsec_ comes base64 (letters, digits, + and /, padded with =).";
  if (!secret.startsWith("whsec_")) return null;
  const bytes = keys.standard.length;
  if (bytes >= MIN_DECODED_BYTES && bytes <= MAX_DECODED_BYTES) return null;
  return `The base64 after whsec_ holds ${bytes} bytes; use ${MIN_DECODED_BYTES} to ${MAX_DECODED_BYTES} (24 to 64 are usual).`;
}

/** A secret as it is shown, once. */
export interface SecretView {
  readonly secret: string;
  /** The form that Standard Webhooks libraries take. */
  readonly standardWebhooksSecret: string;
}

export function shownSecret(secret: string): SecretView {
  return { secret, standardWebhooksSecret: standardWebhooksSecret(secret) };
}
