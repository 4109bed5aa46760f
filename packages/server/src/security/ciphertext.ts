// The one form of everything encrypted at rest: v1.<key id>.<nonce>.<ciphertext>.<tag>, AES-256-GCM (NIST SP 800-38D).
// It must never decrypt what was moved to another tenant, table, column or row, nor anything that was changed.
import { createCipheriv, createDecipheriv, type KeyObject } from "node:crypto";

const VERSION = "v1";
/** 96 random bits: at most 2^32 encryptions under one key (SP 800-38D, 8.3); a tenant makes some hundred. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** Where a secret lies. All of it is authenticated, so a ciphertext is worthless anywhere else. */
export interface SecretPlace {
  readonly tenantUuid: string;
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
}

/** A key and the name by which a ciphertext refers to it: no dot, no bar. */
export interface NamedKey {
  readonly id: string;
  readonly key: KeyObject;
}

export type SecretErrorCode =
  /** Changed, moved, or encrypted under another key. */
  | "SECRET_UNREADABLE"
  /** The tenant's key that it names is not in the database. */
  | "TENANT_KEY_MISSING"
  /** The tenant's key is wrapped by another master key. */
  | "WRONG_MASTER_KEY";

/** Thrown when a stored secret cannot be read: never an ordinary outcome. The message names the place only. */
export class SecretError extends Error {
  readonly code: SecretErrorCode;

  constructor(code: SecretErrorCode, message: string) {
    super(message);
    this.name = "SecretError";
    this.code = code;
  }
}

/**
 * Encrypts `plaintext` for one place.
 * @param random fills its argument with random bytes; the nonce must never repeat under a key
 */
export function seal(
  key: NamedKey,
  place: SecretPlace,
  plaintext: Uint8Array,
  random: (target: Uint8Array) => void,
): string {
  const nonce = Buffer.alloc(NONCE_BYTES);
  random(nonce);
  const cipher = createCipheriv("aes-256-gcm", key.key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(associatedData(key.id, place));
  const encrypted = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  const parts = [nonce, encrypted, cipher.getAuthTag()].map((part) => part.toString("base64url"));
  return [VERSION, key.id, ...parts].join(".");
}

/** Decrypts what `seal` made for the same place under the same key; throws SECRET_UNREADABLE otherwise. */
export function unseal(key: NamedKey, place: SecretPlace, sealed: string): Buffer {
  const [version, keyId, ...encoded] = sealed.split(".");
  const [nonce, encrypted, tag] = encoded.map(decodeStrictly);
  const wellFormed = version === VERSION && keyId === key.id && encoded.length === 3;
  if (!wellFormed || nonce?.length !== NONCE_BYTES || !encrypted || tag?.length !== TAG_BYTES) throw unreadable(place);
  const decipher = createDecipheriv("aes-256-gcm", key.key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(key.id, place));
  decipher.setAuthTag(tag);
  try {
    return Buffer.concat([decipher.update(encrypted), decipher.final()]);
  } catch {
    throw unreadable(place);
  }
}

/** The id of the key that a ciphertext names; null when the text is not of this form. */
export function keyIdOf(sealed: string): string | null {
  const parts = sealed.split(".");
  return parts.length === 5 && parts[0] === VERSION ? (parts[1] as string) : null;
}

/** Spare bits of the last character, and characters that the decoder skips, would otherwise not be authenticated. */
function decodeStrictly(text: string): Buffer | null {
  const bytes = Buffer.from(text, "base64url");
  return bytes.toString("base64url") === text ? bytes : null;
}

function associatedData(keyId: string, place: SecretPlace): Buffer {
  const parts = [place.tenantUuid, place.table, place.column, place.rowId, keyId];
  // With a bar inside a part two different places could read the same.
  if (parts.some((part) => part.includes("|"))) throw new TypeError("a secret's place must not contain a bar");
  return Buffer.from(parts.join("|"), "utf8");
}

function unreadable(place: SecretPlace): SecretError {
  return new SecretError(
    "SECRET_UNREADABLE",
    `The secret in ${place.table}.${place.column} of row ${place.rowId} cannot be decrypted: it was changed, moved, or written under another key.`,
  );
}
