// Makes the complete example event of a type: base object, embedded objects, what differs, old values, context.
// Must never change a base object, which many types share, and must refuse a change that changes nothing.
import { isDeepStrictEqual } from "node:util";
import type { EventExample } from "./catalogue.ts";
import type { EventTypeFile, ExampleContextFile, ExampleObject, ResourceFile } from "./schema.ts";

/** What examples are put together from. */
export interface ExampleParts {
  readonly objects: ReadonlyMap<string, ExampleObject>;
  readonly context: ExampleContextFile;
}

/** The example, or sentences about what is wrong in the files. */
export type BuiltExample =
  | { readonly kind: "built"; readonly example: EventExample }
  | { readonly kind: "refused"; readonly problems: readonly string[] };

/** Puts the example of one event type together. */
export function buildExample(type: EventTypeFile, resource: ResourceFile, parts: ExampleParts): BuiltExample {
  const problems: string[] = [];
  const base = copyOf(type.example.object ?? resource.object, parts, problems);
  for (const [key, name] of Object.entries(type.example.embed ?? resource.embed)) {
    base[key] = copyOf(name, parts, problems);
  }
  for (const [path, value] of Object.entries(type.example.set ?? {})) {
    const problem = setMember(base, path.split("."), value);
    if (problem !== null) problems.push(`example.set "${path}" ${problem}`);
  }
  const { previous } = type.example;
  if (previous !== undefined) problems.push(...unchangedMembers(previous, base, "example.previous"));
  if (problems.length > 0) return { kind: "refused", problems };
  const { $schema: _, ...context } = parts.context;
  return {
    kind: "built",
    example: {
      event: type.name,
      timestamp: type.example.timestamp,
      data: previous === undefined ? { object: base } : { object: base, previous_attributes: previous },
      context: { ...context, ...resource.context, ...type.example.context },
    },
  };
}

function copyOf(name: string, parts: ExampleParts, problems: string[]): Record<string, unknown> {
  const object = parts.objects.get(name);
  if (object === undefined)
    problems.push(`names the example object "${name}", and example-objects/${name}.json is not there`);
  return structuredClone(object ?? {});
}

/** @returns what is wrong with the path or the value, or null when it is done */
function setMember(object: Record<string, unknown>, path: readonly string[], value: unknown): string | null {
  let holder: unknown = object;
  for (const segment of path.slice(0, -1)) {
    if (!isObject(holder) || !Object.hasOwn(holder, segment)) return `passes through "${segment}", which is not there`;
    holder = holder[segment];
  }
  const last = path.at(-1) as string;
  if (!isObject(holder)) return `ends inside a value that is no object`;
  // Compared as a number, so that neither a gap nor `length` can be written.
  if (Array.isArray(holder) && !(Number(last) < holder.length)) return `names item ${last}, which is not there`;
  if (Object.hasOwn(holder, last) && isDeepStrictEqual(holder[last], value)) return "says what the base object says";
  holder[last] = value;
  return null;
}

/** Old values must be values of members that exist now and differ: a name that was misspelt shows here. */
function unchangedMembers(previous: Record<string, unknown>, now: Record<string, unknown>, where: string): string[] {
  return Object.entries(previous).flatMap(([key, old]) => {
    const path = `${where}.${key}`;
    if (!Object.hasOwn(now, key)) return [`${path} is the old value of a member that the object does not have`];
    const current = now[key];
    if (isPlain(old) && isPlain(current)) return unchangedMembers(old, current, path);
    return isDeepStrictEqual(old, current) ? [`${path} equals the value now, so it did not change`] : [];
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return isObject(value) && !Array.isArray(value);
}
