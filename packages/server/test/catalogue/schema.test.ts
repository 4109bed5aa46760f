// The JSON Schemas that editors read must say what the loader enforces.
// After a change in schema.ts: UPDATE_CATALOGUE_SCHEMAS=1 npx vitest run packages/server/test/catalogue/schema.test.ts
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { defaultCatalogueFolder } from "../../src/catalogue/folder.ts";
import { catalogueJsonSchemas } from "../../src/catalogue/schema.ts";

const folder = join(defaultCatalogueFolder(), "schema");

if (process.env["UPDATE_CATALOGUE_SCHEMAS"] === "1") {
  await mkdir(folder, { recursive: true });
  for (const [file, schema] of Object.entries(catalogueJsonSchemas())) {
    await writeFile(join(folder, file), `${JSON.stringify(schema, null, 2)}\n`);
  }
}

test("catalogue/schema holds exactly the schemas that the code generates", async () => {
  expect((await readdir(folder)).sort()).toEqual(Object.keys(catalogueJsonSchemas()).sort());
});

test.each(Object.entries(catalogueJsonSchemas()))("%s agrees with the loader's schema", async (file, schema) => {
  const written: unknown = JSON.parse(await readFile(join(folder, file), "utf8"));
  expect(written).toEqual(JSON.parse(JSON.stringify(schema)));
  expect(written).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    additionalProperties: false,
  });
});
