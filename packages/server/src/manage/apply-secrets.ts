// Secrets that a file gives in plain, held against those that are stored: what is the same is no change, so that a file
// can be applied again and again. Nothing is encrypted or written here; must never hand a text on.
import type { StoredConfiguration } from "./webhook-configuration.ts";
import type { WebhookChange } from "./webhook-fields.ts";
import { shownSecret } from "./webhook-secret.ts";
import { type PreparedSecrets, secretTextsOf, secretWrites, signingState } from "./webhook-secrets.ts";
import type { StoredSecretRow } from "./webhook-secrets.sql.ts";

/** Which of the fields hold a secret that differs from what is stored. */
export type ChangedSecrets = ReadonlySet<"secret" | "auth" | "headers">;

/** @param configuration what the fields make of the webhook */
export async function changedSecrets(
  fields: WebhookChange,
  configuration: StoredConfiguration,
  stored: readonly StoredSecretRow[],
  holds: PreparedSecrets["holds"],
  nowMs: number,
): Promise<ChangedSecrets> {
  const notEncrypted = { uuid: "", ciphertext: "" };
  const { secret } = fields;
  const signing = typeof secret === "string" ? { ...notEncrypted, view: shownSecret(secret), wasGiven: true } : null;
  const texts = secretTextsOf(fields).map((text) => ({ ...text, ...notEncrypted }));
  const writes = await secretWrites({ signing, texts, holds }, stored, configuration, nowMs);
  const changed = new Set<"secret" | "auth" | "headers">();
  if (writes.signing !== null) changed.add("secret");
  for (const { purpose } of writes.texts) changed.add(purpose === "auth" ? "auth" : "headers");
  return changed;
}

/**
 * True when a rotation is under way and the file names one of its two secrets: then the rotation goes on. A file that
 * still holds the old secret would otherwise end it every night.
 */
export async function isInRotation(
  secret: string,
  stored: readonly StoredSecretRow[],
  holds: PreparedSecrets["holds"],
  nowMs: number,
): Promise<boolean> {
  const { rotation } = signingState(stored, nowMs);
  return rotation !== null && ((await holds(rotation.old, secret)) || (await holds(rotation.fresh, secret)));
}
