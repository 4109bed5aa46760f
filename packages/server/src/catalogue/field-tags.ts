// Which fields of events are personal, pay or cost, from the catalogue's field-tags.json: by name wherever they stand, by
// path for a resource, and by the same path wherever another object embeds that resource. Pure.
import { Redactor } from "../lib/json/redact.ts";
import { FIELD_TAGS, type FieldTag } from "../storage/privacy.ts";
import type { FieldTagsFile } from "./schema.ts";

type Tagged = readonly (readonly [field: string, tag: FieldTag])[];

/** The tagged fields of an event of one type. */
export interface FieldTags {
  /** Inside `data.object`. */
  readonly paths: Tagged;
  /** At any depth, in `data` and `context`. */
  readonly names: Tagged;
  /** Inside `context`. */
  readonly context: Tagged;
}

/** As much of a resource as this needs: `sales_order`, `order`. */
interface Named {
  readonly name: string;
  readonly aliases: readonly string[];
}

/** What `tagsOf` of a catalogue answers. Types that are not in the catalogue have the tags that go by name. */
export function fieldTagsOf(file: FieldTagsFile, resources: readonly Named[]): (eventType: string) => FieldTags {
  const names = tagged(file.names);
  const context = tagged(file.context);
  const ofResource = (name: string): Tagged => tagged(file.resources[name] ?? {});
  const embedded = resources.flatMap(({ name, aliases }) =>
    [name, ...aliases].flatMap((key) => ofResource(name).map(([path, tag]) => [`${key}.${path}`, tag] as const)),
  );
  const byResource = new Map(
    resources.map(({ name }) => [name, { paths: [...ofResource(name), ...embedded], names, context }]),
  );
  const ofOthers: FieldTags = { paths: embedded, names, context };
  return (eventType) => byResource.get(eventType.split(".", 1)[0] as string) ?? ofOthers;
}

/** A field that an example has, by its path as expressions and `privacy` write it: `customer.email`, `context.ip`. */
export interface TaggedField {
  readonly path: string;
  readonly tag: FieldTag;
}

/** Which tagged fields an event has. */
export function taggedFieldsIn({ paths, names, context }: FieldTags, event: unknown): TaggedField[] {
  const { data, context: given } = (event ?? {}) as { data?: unknown; context?: unknown };
  return FIELD_TAGS.flatMap((tag) => {
    const only = (fields: Tagged) => fields.filter(([, each]) => each === tag).map(([path]) => [path, "drop"] as const);
    const found = new Set<string>();
    const inData = new Redactor({ paths: only(paths), names: only(names) });
    const inContext = new Redactor({ paths: only(context), names: only(names) });
    inData.redact(jsonOf(data), OBJECTS, (path) => found.add(path));
    inContext.redact(jsonOf(given), [], (path) => found.add(`context.${path}`));
    return [...found].map((path) => ({ path, tag }));
  });
}

/** Members of `data` whose own members are those of the object. */
export const OBJECTS: readonly string[] = ["object", "previous_attributes"];

function jsonOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value ?? null), "utf8");
}

function tagged(fields: FieldTagsFile["names"]): Tagged {
  return FIELD_TAGS.flatMap((tag) => (fields[tag] ?? []).map((field) => [field, tag] as const));
}
