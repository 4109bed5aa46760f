// The secrets of a webhook as its snapshot has them: where they lie, all encrypted.
import type { SecretRow } from "./configuration.sql.ts";

/** Where a secret lies; decrypted by whoever needs its text. */
export interface StoredSecret {
  readonly id: string;
  readonly ciphertext: string;
}

/** A secret that ends by itself, at a time of the database; null for never. */
export interface EndingSecret extends StoredSecret {
  readonly validUntilMs: number | null;
}

/** The secrets of a webhook, all encrypted. */
export interface WebhookSecrets {
  /** What signatures are made with. Ends when a rotation is under way that was not switched yet. */
  readonly signing: EndingSecret | null;
  /** During a rotation, until it is switched: what takes over when `signing` ends. */
  readonly signingNext: StoredSecret | null;
  /** After the switch of a rotation: signs beside `signing` until it ends. */
  readonly signingPrevious: EndingSecret | null;
  readonly auth: StoredSecret | null;
  /** Values of the webhook's own headers, by lower-case name; the configuration holds the mask. */
  readonly headers: ReadonlyMap<string, StoredSecret>;
}

export function secretsOfRows(rows: readonly SecretRow[]): WebhookSecrets {
  const ofPurpose = (purpose: SecretRow["purpose"]): EndingSecret | null => {
    const row = rows.find((each) => each.purpose === purpose);
    return row === undefined ? null : endingSecret(row);
  };
  return {
    signing: ofPurpose("signing"),
    signingNext: ofPurpose("signing_next"),
    signingPrevious: ofPurpose("signing_previous"),
    auth: ofPurpose("auth"),
    headers: new Map(rows.filter((row) => row.purpose === "header").map((row) => [row.name ?? "", endingSecret(row)])),
  };
}

function endingSecret({ id, ciphertext, valid_until_ms: validUntilMs }: SecretRow): EndingSecret {
  return { id, ciphertext, validUntilMs };
}
