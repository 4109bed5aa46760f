// Ways through the JSON of an example, for the tests of the shipped catalogue.

/** The member at a path, or undefined. */
export function memberAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((holder, key) => (holder as Record<string, unknown> | undefined)?.[key], value);
}

/** Every object within the value, itself included, the outermost first. */
export function objectsWithin(value: unknown): Record<string, unknown>[] {
  if (typeof value !== "object" || value === null) return [];
  const inner = Object.values(value).flatMap(objectsWithin);
  return Array.isArray(value) ? inner : [value as Record<string, unknown>, ...inner];
}

/** Every text within the value. */
export function stringsWithin(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(stringsWithin);
}
