// Which tagged fields of an event a webhook would send: told by making its request once more without each of them, so that
// it is true for every format and template. For previews, not for the way of an event.
import type { FieldTags } from "../../catalogue/field-tags.ts";
import { EventRedactor, privacyRules } from "../../deliver/privacy.ts";
import type { DeliverableEvent } from "../../deliver/queue.ts";
import type { Body } from "../../deliver/renderer.ts";
import type { ConfigurationWarning } from "../../manage/transform.ts";
import { FIELD_TAGS, type FieldTag, type PrivacySetting } from "../../storage/privacy.ts";

/** Makes the request of an event as the webhook says. */
export type MakeRequest = (event: DeliverableEvent) => Body | Promise<Body>;

/** Each costs a rendering. */
const MAX_FIELDS = 30;
const MAX_BYTES = 256 * 1024;
const NAMED = 5;
const CONTEXT = "context.";

/** A sentence for each tag whose fields leave the company without `privacy` saying anything about it. */
export async function taggedFieldWarnings(
  event: DeliverableEvent,
  privacy: PrivacySetting,
  tags: FieldTags,
  make: MakeRequest,
): Promise<ConfigurationWarning[]> {
  if (event.data.byteLength > MAX_BYTES) return [];
  const whole = await make(event);
  if (whole.kind !== "body") return [];
  const warnings: ConfigurationWarning[] = [];
  for (const tag of FIELD_TAGS.filter((each) => privacy[each] === undefined)) {
    const sent: string[] = [];
    for (const path of fieldsOf(event, tag, tags, privacy)) {
      const without = await make(withoutField(event, path));
      if (!isSame(whole, without)) sent.push(path);
    }
    if (sent.length > 0) warnings.push(warning(tag, sent));
  }
  return warnings;
}

function fieldsOf(event: DeliverableEvent, tag: FieldTag, tags: FieldTags, privacy: PrivacySetting): string[] {
  const found = new Set<string>();
  new EventRedactor(privacyRules({ [tag]: "drop" }, tags)).redact(event, (path) => found.add(path));
  return [...found].filter((path) => privacy.fields?.[path] === undefined).slice(0, MAX_FIELDS);
}

function withoutField(event: DeliverableEvent, path: string): DeliverableEvent {
  const none = { paths: [], names: [] };
  const rules = path.startsWith(CONTEXT)
    ? { data: none, context: { paths: [[path.slice(CONTEXT.length), "drop"] as const], names: [] } }
    : { data: { paths: [[path, "drop"] as const], names: [] }, context: none };
  return new EventRedactor(rules).redact(event);
}

/** Without something that it needs it could not be sent at all. */
function isSame(one: Extract<Body, { kind: "body" }>, other: Body): boolean {
  if (other.kind !== "body") return false;
  return one.bytes.equals(other.bytes) && JSON.stringify(one.parts) === JSON.stringify(other.parts);
}

const WHAT: Readonly<Record<FieldTag, string>> = {
  personal: "personal data",
  salary: "what somebody is paid",
  cost: "costs of the company",
};

function warning(tag: FieldTag, sent: readonly string[]): ConfigurationWarning {
  const more = sent.length > NAMED ? ` and ${sent.length - NAMED} more` : "";
  const message = `This sends ${WHAT[tag]}: ${sent.slice(0, NAMED).join(", ")}${more}. If the receiver does not need it, set \`privacy.${tag}\` to \`drop\` or \`mask\`.`;
  return { code: "TAGGED_FIELDS_SENT", field: "privacy", message };
}
