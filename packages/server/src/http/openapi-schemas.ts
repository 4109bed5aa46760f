// Zod schemas into JSON Schema 2020-12 for the reference: named ones (`.meta({ id })`) become components, once each.
// Must never let two different schemas share a name.
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";

export type JsonObject = { readonly [member: string]: unknown };

/** What the schemas of one document are collected in. */
export interface SchemaCollector {
  /** The schema, or a reference to its component. `input` is what a client sends, `output` what it gets. */
  readonly add: (schema: z.ZodType, io: "input" | "output") => JsonObject;
  /** Components by name, in alphabetical order. */
  readonly components: () => JsonObject;
}

const LOCAL = "#/$defs/";
const COMPONENTS = "#/components/schemas/";

export function collectSchemas(): SchemaCollector {
  const components = new Map<string, unknown>();
  return {
    add(schema, io) {
      // Wrapped, because a named schema becomes a definition everywhere but at the root.
      const document = z.toJSONSchema(z.object({ it: schema }), { io, unrepresentable: "any", override: tidy });
      const { $defs = {}, properties } = withComponentReferences(document);
      for (const [name, definition] of Object.entries($defs)) {
        const before = components.get(name);
        if (before !== undefined && !isDeepStrictEqual(before, definition)) {
          throw new Error(`two different schemas have the id "${name}": give one of them another`);
        }
        components.set(name, definition);
      }
      return properties.it;
    },
    components: () => Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

interface Converted {
  readonly $defs?: JsonObject;
  readonly properties: { readonly it: JsonObject };
}

function withComponentReferences(document: unknown): Converted {
  const text = JSON.stringify(document, (key, value: unknown) =>
    key === "$ref" && typeof value === "string" ? value.replace(LOCAL, COMPONENTS) : value,
  );
  return JSON.parse(text) as Converted;
}

/** Leaves out what says nothing, and what would promise that answers never get another member. */
function tidy({ zodSchema, jsonSchema }: { zodSchema: z.core.$ZodTypes; jsonSchema: z.core.JSONSchema.BaseSchema }) {
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum;
  if (jsonSchema.format === "date-time") delete jsonSchema.pattern;
  // \p{…} means something only with a flag that JSON Schema cannot give, and nothing at all to Python.
  if (jsonSchema.pattern?.includes("\\p{") === true) delete jsonSchema.pattern;
  const names = jsonSchema.propertyNames;
  if (typeof names === "object" && Object.keys(names).length === 1 && names.type === "string") {
    delete jsonSchema.propertyNames;
  }
  // Zod takes them for results where a value is transformed; ours are always what goes over the wire.
  const { examples, default: fallback } = z.globalRegistry.get(zodSchema) ?? {};
  if (Array.isArray(examples)) jsonSchema.examples = examples;
  if (fallback !== undefined) jsonSchema.default = fallback as z.core.JSONSchema.BaseSchema["default"];
  if (zodSchema instanceof z.ZodObject && zodSchema.def.catchall === undefined) delete jsonSchema.additionalProperties;
}
