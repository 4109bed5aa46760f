// Loads the catalogue from its folder: one pass over resources and types, every problem reported at once.
// Must refuse rather than guess: what it lets through is what integrators are promised.
import { buildExample, type ExampleParts } from "./example.ts";
import { type Catalogue, type EventTypeDefinition, makeCatalogue, type ResourceDefinition } from "./catalogue.ts";
import { CatalogueError, CatalogueReader } from "./files.ts";
import {
  type EventTypeFile,
  eventTypeFile,
  type ExampleObject,
  exampleContextFile,
  exampleObjectFile,
  fieldTagsFile,
  type ResourceFile,
  resourceFile,
} from "./schema.ts";

const TYPES_FOLDER = "event-types";
const OBJECTS_FOLDER = "example-objects";
const CONTEXT_FILE = "example-context.json";
const TAGS_FILE = "field-tags.json";
/** Names that expressions give to other things (the event, its parts), so no alias may take them. */
const RESERVED_NAMES: ReadonlySet<string> = new Set(["event", "data", "previous", "context", "object"]);

/**
 * Reads and checks the whole catalogue.
 * @param folder the catalogue's root, which holds event-types/ and example-objects/
 * @throws CatalogueError (`CATALOGUE_INVALID`) with all problems, each with its file
 */
export async function loadCatalogue(folder: string): Promise<Catalogue> {
  const reader = new CatalogueReader(folder);
  const parts = await readParts(reader);
  // Read side by side: one after the other, these hundred small files took 80 to 300 ms at start
  // instead of 30 to 80 (two busy cores).
  const resources = await reader.folders(TYPES_FOLDER);
  const definitions = await Promise.all(resources.map((name) => loadResource(reader, name, parts)));
  const tags = await reader.readIfThere(TAGS_FILE, fieldTagsFile);
  for (const name of Object.keys(tags?.resources ?? {})) {
    if (!resources.includes(name)) reader.report(TAGS_FILE, `tags fields of "${name}", which is no resource`);
  }
  if (reader.problems.length > 0) throw new CatalogueError(folder, reader.problems);
  return makeCatalogue(definitions.flat(), tags);
}

async function readParts(reader: CatalogueReader): Promise<ExampleParts> {
  const context = await reader.read(CONTEXT_FILE, exampleContextFile);
  const names = await reader.jsonFiles(OBJECTS_FOLDER);
  const entries = names.map(async (name): Promise<readonly [string, ExampleObject]> => {
    const object = await reader.read(`${OBJECTS_FOLDER}/${name}.json`, exampleObjectFile);
    return [name, object ?? {}];
  });
  const objects = new Map(await Promise.all(entries));
  // Stand-ins are never seen: what could not be read is a problem, and problems end the load.
  return { objects, context: context ?? { companyId: "", userId: null, source: "", ip: null } };
}

async function loadResource(
  reader: CatalogueReader,
  name: string,
  parts: ExampleParts,
): Promise<readonly EventTypeDefinition[]> {
  const folder = `${TYPES_FOLDER}/${name}`;
  const files = (await reader.jsonFiles(folder)).filter((file) => file !== "resource");
  const resource = await reader.read(`${folder}/resource.json`, resourceFile);
  if (files.length === 0) reader.report(folder, "holds no event type");
  if (resource === undefined) return [];
  checkResource(reader, `${folder}/resource.json`, name, resource);
  const read = await Promise.all(
    files.map(async (file) => {
      const type = await reader.read(`${folder}/${file}.json`, eventTypeFile);
      return type && defineType(reader, `${folder}/${file}.json`, `${name}.${file}`, type, resource, parts);
    }),
  );
  const definitions = read.filter((definition) => definition !== undefined);
  checkFieldAliases(reader, `${folder}/resource.json`, resource, definitions);
  return definitions;
}

function checkResource(reader: CatalogueReader, file: string, folderName: string, resource: ResourceFile): void {
  if (resource.name !== folderName) {
    reader.report(file, `is named "${resource.name}" but stands in the folder "${folderName}"`);
  }
  checkAliases(reader, file, [resource.name, ...resource.aliases]);
}

/** Folder and file spell the name, so no two files can hold the same event type. */
function defineType(
  reader: CatalogueReader,
  file: string,
  expectedName: string,
  type: EventTypeFile,
  resource: ResourceFile,
  parts: ExampleParts,
): EventTypeDefinition | undefined {
  if (type.name !== expectedName) {
    reader.report(file, `is named "${type.name}" but its folder and file say "${expectedName}"`);
    return undefined;
  }
  const aliases = [...resource.aliases, ...(type.aliases ?? [])];
  if (type.aliases !== undefined) checkAliases(reader, file, [resource.name, ...aliases]);
  const built = buildExample(type, resource, parts);
  if (built.kind === "refused") {
    for (const problem of built.problems) reader.report(file, problem);
    return undefined;
  }
  const referencePath = type.referencePath === undefined ? resource.referencePath : type.referencePath;
  if (referencePath !== null && typeof memberAt(built.example.data, referencePath) !== "string") {
    reader.report(file, `has no text at its referencePath ${referencePath.join(".")} in the example`);
  }
  return deepFreeze({
    name: type.name,
    resource: resourceOf(resource, aliases),
    module: resource.module,
    description: type.description,
    raisedWhen: type.raisedWhen,
    since: type.since,
    referencePath,
    example: built.example,
  });
}

function resourceOf(resource: ResourceFile, aliases: readonly string[]): ResourceDefinition {
  const { name, label, description, fieldAliases } = resource;
  return { name, label, description, aliases, fieldAliases };
}

function checkAliases(reader: CatalogueReader, file: string, names: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    if (RESERVED_NAMES.has(name)) reader.report(file, `"${name}" already means something else in expressions`);
    if (names.indexOf(name) !== index) reader.report(file, `the alias "${name}" is there already`);
  }
}

/** A field alias that never applies is a misspelt one: its member must be real, the alias must not. */
function checkFieldAliases(
  reader: CatalogueReader,
  file: string,
  resource: ResourceFile,
  definitions: readonly EventTypeDefinition[],
): void {
  const objects = definitions.map((definition) => definition.example.data.object);
  for (const [alias, member] of Object.entries(resource.fieldAliases)) {
    if (objects.length > 0 && !objects.some((object) => Object.hasOwn(object, member))) {
      reader.report(file, `fieldAliases "${alias}" leads to "${member}", which no example has`);
    }
    if (objects.some((object) => Object.hasOwn(object, alias))) {
      reader.report(file, `fieldAliases "${alias}" is a real member of the object`);
    }
  }
}

function memberAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (holder, key) =>
      typeof holder === "object" && holder !== null && Object.hasOwn(holder, key)
        ? (holder as Record<string, unknown>)[key]
        : undefined,
    value,
  );
}

/** Definitions are shared by every request of the process: one that changed an example would change it for all. */
function deepFreeze<Value extends object>(value: Value): Value {
  for (const member of Object.values(value)) if (typeof member === "object" && member !== null) deepFreeze(member);
  return Object.freeze(value);
}
