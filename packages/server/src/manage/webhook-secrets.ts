// The secrets of a webhook beside its configuration: taken out of the fields given, encrypted, compared with what is
// stored. Texts pass through here on their way to encryption; must never put one into a configuration or a message.
import { isSecretHeader, MASK } from "../lib/masking.ts";
import { authSecretOf } from "../security/receiver-auth.ts";
import type { StoredConfiguration } from "./webhook-configuration.ts";
import type { WebhookChange } from "./webhook-fields.ts";
import type { SecretView } from "./webhook-secret.ts";
import type { StoredSecretRow } from "./webhook-secrets.sql.ts";

/** A secret text that fields hold, and where it is to be kept. */
export interface SecretText {
  readonly purpose: "auth" | "header";
  /** The header's name in lower case; null for authorisation. */
  readonly name: string | null;
  readonly plaintext: string;
}

/** The same, encrypted and ready to be stored. */
export interface PreparedText extends SecretText {
  readonly uuid: string;
  readonly ciphertext: string;
}

/** A signing secret, encrypted and ready to be stored. */
export interface PreparedSecret {
  readonly uuid: string;
  readonly ciphertext: string;
  readonly view: SecretView;
  /** False when it was made here: then it cannot be the one that is stored. */
  readonly wasGiven: boolean;
}

/** Everything secret of one creation or change, encrypted before its transaction began. */
export interface PreparedSecrets {
  /** Null keeps the one that is stored. */
  readonly signing: PreparedSecret | null;
  readonly texts: readonly PreparedText[];
  /** Whether a stored secret holds this very text; one that does not open does not. */
  readonly holds: (stored: StoredSecretRow, plaintext: string) => Promise<boolean>;
}

/** What a change does to the stored secrets. */
export interface SecretWrites {
  readonly signing: PreparedSecret | null;
  readonly texts: readonly PreparedText[];
  /** Ids of rows that go. */
  readonly obsoleteUuids: readonly string[];
}

/** The secret texts among fields: of the authorisation, and of headers whose names mean secrets. */
export function secretTextsOf(fields: WebhookChange): SecretText[] {
  const texts: SecretText[] = [];
  const auth = fields.auth ? authSecretOf(fields.auth) : null;
  if (auth !== null && auth !== MASK) texts.push({ purpose: "auth", name: null, plaintext: auth });
  for (const [name, value] of Object.entries(fields.headers ?? {})) {
    if (!isSecretHeader(name) || value === MASK) continue;
    texts.push({ purpose: "header", name: name.toLowerCase(), plaintext: value });
  }
  return texts;
}

/**
 * What has to be written: texts sent again as they are stored are no change, places that the configuration has no more
 * are cleared. A signing secret that is given ends a rotation, whichever it is.
 * @param nowMs estimated database time
 */
export async function secretWrites(
  secrets: PreparedSecrets,
  stored: readonly StoredSecretRow[],
  configuration: StoredConfiguration,
  nowMs: number,
): Promise<SecretWrites> {
  const signing = await changedSigning(secrets, stored, nowMs);
  const texts: PreparedText[] = [];
  for (const text of secrets.texts) {
    const row = stored.find((each) => each.purpose === text.purpose && each.name === text.name);
    if (row === undefined || !(await secrets.holds(row, text.plaintext))) texts.push(text);
  }
  const obsolete = stored.filter((row) => {
    if (row.purpose !== "auth" && row.purpose !== "header") return signing !== null;
    const isReplaced = texts.some((text) => text.purpose === row.purpose && text.name === row.name);
    return isReplaced || !isWanted(row, configuration);
  });
  return { signing, texts, obsoleteUuids: obsolete.map((row) => row.id) };
}

async function changedSigning(
  secrets: PreparedSecrets,
  stored: readonly StoredSecretRow[],
  nowMs: number,
): Promise<PreparedSecret | null> {
  const { signing } = secrets;
  if (signing === null || !signing.wasGiven) return signing;
  const { current, rotation } = signingState(stored, nowMs);
  if (rotation !== null || current === null) return signing;
  return (await secrets.holds(current, signing.view.secret)) ? null : signing;
}

function isWanted(row: StoredSecretRow, configuration: StoredConfiguration): boolean {
  if (row.purpose === "auth") return configuration.auth !== undefined;
  return Object.entries(configuration.headers ?? {}).some(
    ([name, value]) => value === MASK && name.toLowerCase() === row.name,
  );
}

/** How a webhook signs at a time: `current` leads; a rotation under way has a second secret beside it. */
export interface SigningState {
  readonly current: StoredSecretRow | null;
  readonly rotation: {
    /** The secret that ends. */
    readonly old: StoredSecretRow;
    /** The secret that stays. */
    readonly fresh: StoredSecretRow;
    readonly isSwitched: boolean;
    readonly overlapEndsAtMs: number;
  } | null;
}

/** Reads the state from the rows; an overlap that is over counts as ended, whether its rows were cleared or not. */
export function signingState(stored: readonly StoredSecretRow[], nowMs: number): SigningState {
  const of = (purpose: StoredSecretRow["purpose"]) => stored.find((row) => row.purpose === purpose) ?? null;
  const [signing, next, previous] = [of("signing"), of("signing_next"), of("signing_previous")];
  const old = next === null ? previous : signing;
  const fresh = next ?? signing;
  if (old === null || fresh === null || old === fresh) return { current: fresh, rotation: null };
  const overlapEndsAtMs = old.valid_until_at?.getTime() ?? Number.POSITIVE_INFINITY;
  if (overlapEndsAtMs <= nowMs) return { current: fresh, rotation: null };
  return { current: signing, rotation: { old, fresh, isSwitched: next === null, overlapEndsAtMs } };
}
