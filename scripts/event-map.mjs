// Writes packages/client/src/generated/event-map.ts from the catalogue, or checks that it says what the catalogue says.
// Shapes come from examples, so every member is optional and no text is narrowed to the words seen; must never claim
// more than the examples show. Needs a build (npm run build): the examples are put together by the server's own loader.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Shapes } from "./event-map/shapes.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const TARGET = join("packages", "client", "src", "generated", "event-map.ts");

const mode = process.argv[2];
if (mode !== "--write" && mode !== "--check") {
  console.error("Usage: node scripts/event-map.mjs --write | --check");
  process.exit(2);
}
const loader = join(root, "packages", "server", "dist", "catalogue", "load.js");
if (!existsSync(loader)) {
  console.error("The packages are not built. Run `npm run build` first.");
  process.exit(2);
}
const { loadCatalogue } = await import(pathToFileURL(loader).href);
const catalogue = await loadCatalogue(join(root, "catalogue"));

const content = page([...catalogue.types.values()]);
const path = join(root, TARGET);
if (existsSync(path) && readFileSync(path, "utf8") === content) {
  console.log("The event map says what the catalogue says.");
} else if (mode === "--write") {
  writeFileSync(path, content);
  console.log(`${TARGET} written.`);
} else {
  console.error(
    `${TARGET} is not what the catalogue says. Run \`npm run build && node scripts/event-map.mjs --write\`.`,
  );
  process.exitCode = 1;
}

/** Every type with its data, and one interface for each kind of object. */
function page(types) {
  const shapes = new Shapes(exampleObjects());
  const lines = types.map((type) => {
    const { object, previous_attributes: previous } = type.example.data;
    const name = shapes.add(pascal(type.name), object);
    if (previous !== undefined) shapes.addPart(name, previous);
    return `  /** ${type.description} */\n  readonly "${type.name}": EventData<${name}>;`;
  });
  return `// Written by scripts/event-map.mjs from catalogue/. Do not edit.
// What \`data\` of every event type holds, as far as the catalogue's examples show it: each member may be absent, and
// there may be more of them. Must never be narrowed by hand: the catalogue is where shapes are decided.

/** The payload of an event: the object as it is now and, except on creation, the old values of what changed. */
export interface EventData<Subject> {
  readonly object: Subject;
  readonly previous_attributes?: Partial<Subject>;
}

/** Event types to their \`data\`. */
export interface EventMap {
${lines.join("\n")}
}

${shapes.print().join("\n\n")}
`;
}

/** Names of interfaces to the members of the objects that examples are made of. */
function exampleObjects() {
  const folder = join(root, "catalogue", "example-objects");
  return readdirSync(folder)
    .filter((file) => file.endsWith(".json"))
    .map((file) => {
      const { $schema: _, ...object } = JSON.parse(readFileSync(join(folder, file), "utf8"));
      return [pascal(basename(file, ".json")), Object.keys(object)];
    });
}

function pascal(name) {
  return name
    .split(/[_.]/)
    .map((word) => word[0].toUpperCase() + word.slice(1))
    .join("");
}
