// How expressions may call the object of an event: by its resource, its aliases and its field aliases.
// Types that the catalogue does not know have the name before their first full stop and nothing else.
import type { Catalogue, ResourceDefinition } from "./catalogue.ts";

export type ResourceNames = Pick<ResourceDefinition, "name" | "aliases" | "fieldAliases">;

/** The names for events of a type, known or not. */
export function resourceNamesOf(catalogue: Pick<Catalogue, "get">, type: string): ResourceNames {
  const known = catalogue.get(type);
  if (known !== undefined) return known.resource;
  return { name: type.split(".", 1)[0] as string, aliases: [], fieldAliases: {} };
}
