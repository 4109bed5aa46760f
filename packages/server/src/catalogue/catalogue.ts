// The catalogue in memory: the published event types and the questions that others ask about them.
// Immutable once made; must never read a file or know of a tenant's own types.
import { nearestNames } from "@posthorn/contract";
import { type FieldTags, fieldTagsOf } from "./field-tags.ts";
import { matchesPattern } from "./pattern.ts";
import type { FieldTagsFile } from "./schema.ts";

/** A JSON object nobody may change. */
export type FrozenObject = Readonly<Record<string, unknown>>;

/** A complete event of its type, ready to be captured: `POST /v1/events` takes it as it is. */
export interface EventExample {
  readonly event: string;
  /** ISO 8601, UTC. */
  readonly timestamp: string;
  readonly data: { readonly object: FrozenObject; readonly previous_attributes?: FrozenObject };
  readonly context: FrozenObject;
}

export interface ResourceDefinition {
  /** `sales_order`; also the name of `data.object` in expressions. Where CEL reserves it they write `return_`. */
  readonly name: string;
  readonly label: string;
  readonly description: string;
  /** More names for `data.object` in expressions, those of the event type included. */
  readonly aliases: readonly string[];
  /** `created_date` → `createdAt`, for names that no change of case style explains. */
  readonly fieldAliases: Readonly<Record<string, string>>;
}

export interface EventTypeDefinition {
  readonly name: string;
  readonly resource: ResourceDefinition;
  /** The BigLedger module that raises it, as administrators know it. */
  readonly module: string;
  readonly description: string;
  readonly raisedWhen: string;
  /** The first version that published it. */
  readonly since: string;
  /** Path inside `data` to the business number, or null when it has none. */
  readonly referencePath: readonly string[] | null;
  readonly example: EventExample;
}

export interface Catalogue {
  /** By name, in alphabetical order. */
  readonly types: ReadonlyMap<string, EventTypeDefinition>;
  /** The event type of exactly this name. */
  get(name: string): EventTypeDefinition | undefined;
  /** The names most like an unknown one, best first; `order.created` finds `sales_order.created` by its alias. */
  nearest(name: string, limit: number): string[];
  /** The names that a pattern matches (`*`, `invoice.*`, `invoice.paid`), in alphabetical order. */
  expand(pattern: string): string[];
  /** Which fields of such an event are personal, pay or cost; also of types that are not in the catalogue. */
  tagsOf(eventType: string): FieldTags;
}

export const NO_TAGS: FieldTagsFile = { names: {}, context: {}, resources: {} };

/** Builds the catalogue over definitions whose names differ; the loader sees to that. */
export function makeCatalogue(definitions: Iterable<EventTypeDefinition>, tags: FieldTagsFile = NO_TAGS): Catalogue {
  const sorted = [...definitions].sort((a, b) => (a.name < b.name ? -1 : 1));
  const types = new Map(sorted.map((definition) => [definition.name, definition]));
  const spellings = spellingsOf(sorted);
  const resources = new Map(sorted.map(({ resource }) => [resource.name, resource]));
  return {
    types,
    get: (name) => types.get(name),
    nearest: (name, limit) => {
      const found = nearestNames(name, spellings.keys(), spellings.size);
      return [...new Set(found.flatMap((spelling) => spellings.get(spelling) ?? []))].slice(0, limit);
    },
    tagsOf: fieldTagsOf(tags, [...resources.values()]),
    expand: (pattern) => [...types.keys()].filter((name) => matchesPattern(pattern, name)),
  };
}

/** Every way to write a type (its name, or an alias in place of the resource) → the names that it may mean. */
function spellingsOf(definitions: readonly EventTypeDefinition[]): ReadonlyMap<string, readonly string[]> {
  const spellings = new Map<string, string[]>();
  for (const { name, resource } of definitions) {
    const rest = name.slice(resource.name.length);
    for (const spelling of [name, ...resource.aliases.map((alias) => `${alias}${rest}`)]) {
      spellings.set(spelling, [...(spellings.get(spelling) ?? []), name]);
    }
  }
  return spellings;
}
