// The field `privacy` as it is stored: which tagged fields do not leave the company with a webhook's requests. Types only.
import type { Redaction } from "../lib/json/redact.ts";

/** Tags that the catalogue gives to fields (catalogue/field-tags.json). */
export const FIELD_TAGS = ["personal", "salary", "cost"] as const;
export type FieldTag = (typeof FIELD_TAGS)[number];

export interface PrivacySetting extends Readonly<Partial<Record<FieldTag, Redaction>>> {
  /** Further fields of `data.object`, by path. */
  readonly fields?: Readonly<Record<string, Redaction>>;
}
