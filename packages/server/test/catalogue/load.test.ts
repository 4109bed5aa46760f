// The loader on small catalogues of our own making: every way to break one is refused by file and by name.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { CatalogueError, CatalogueProblem } from "../../src/catalogue/files.ts";
import { loadCatalogue } from "../../src/catalogue/load.ts";

const RESOURCE = "event-types/ticket/resource.json";
const CREATED = "event-types/ticket/created.json";

/** A catalogue with one resource and one type, as small as the schema allows. */
function smallest(): Record<string, Record<string, unknown>> {
  return {
    "example-context.json": { companyId: "company_default", userId: null, source: "web", ip: null },
    "example-objects/ticket.json": { id: "ticket_1", ticketNumber: "T-1", createdAt: "2026-03-17T07:00:00Z" },
    [RESOURCE]: {
      name: "ticket",
      label: "Ticket",
      module: "Core/Platform",
      description: "A question of a customer.",
      referencePath: ["object", "ticketNumber"],
      object: "ticket",
    },
    [CREATED]: {
      name: "ticket.created",
      since: "0.1.0",
      description: "A ticket was created.",
      raisedWhen: "It is saved for the first time.",
      example: { timestamp: "2026-03-17T07:00:00Z" },
    },
  };
}

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "catalogue-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function put(files: Record<string, unknown>): Promise<void> {
  for (const [file, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, file)), { recursive: true });
    await writeFile(join(folder, file), typeof content === "string" ? content : JSON.stringify(content));
  }
}

async function problemsOf(files: Record<string, unknown>): Promise<readonly CatalogueProblem[]> {
  await put(files);
  const error: unknown = await loadCatalogue(folder).then(
    () => null,
    (reason: unknown) => reason,
  );
  expect(error).toMatchObject({ name: "CatalogueError", code: "CATALOGUE_INVALID" });
  return (error as CatalogueError).problems;
}

/** The smallest catalogue with the given members added to one of its files. */
function withMembers(file: string, members: Record<string, unknown>): Record<string, unknown> {
  return { ...smallest(), [file]: { ...smallest()[file], ...members } };
}

describe("a good catalogue", () => {
  test("loads with the defaults of what its files leave out", async () => {
    await put(smallest());
    const catalogue = await loadCatalogue(folder);
    expect([...catalogue.types.keys()]).toEqual(["ticket.created"]);
    expect(catalogue.get("ticket.created")?.resource).toMatchObject({ aliases: [], fieldAliases: {} });
  });

  test("lets a type add aliases and have a reference of its own", async () => {
    await put(withMembers(CREATED, { aliases: ["question"], referencePath: ["object", "id"] }));
    const definition = (await loadCatalogue(folder)).get("ticket.created");
    expect(definition?.resource.aliases).toEqual(["question"]);
    expect(definition?.referencePath).toEqual(["object", "id"]);
  });

  test("lets a type say that it has no reference", async () => {
    await put(withMembers(CREATED, { referencePath: null }));
    expect((await loadCatalogue(folder)).get("ticket.created")?.referencePath).toBeNull();
  });

  test("is not disturbed by what file managers leave behind", async () => {
    await put({ ...smallest(), "event-types/.DS_Store": "", "event-types/ticket/.swp": "" });
    expect((await loadCatalogue(folder)).types.size).toBe(1);
  });
});

describe("a broken catalogue", () => {
  test.each([
    ["an unknown key of a resource", RESOURCE, { alias: ["t"] }, 'unknown key "alias"'],
    ["an unknown key of a type", CREATED, { label: "x" }, 'unknown key "label"'],
    [
      "an unknown key of an example",
      CREATED,
      { example: { timestamp: "2026-03-17T07:00:00Z", object_: "ticket" } },
      'unknown key "example.object_"',
    ],
    ["an unknown key of a context", "example-context.json", { tenant: "x" }, 'unknown key "tenant"'],
    ["a module that BigLedger does not have", RESOURCE, { module: "Sales" }, /^module: /],
    [
      "a resource in another's folder",
      RESOURCE,
      { name: "tickets" },
      'is named "tickets" but stands in the folder "ticket"',
    ],
    [
      "a type whose file says otherwise",
      CREATED,
      { name: "ticket.opened" },
      'is named "ticket.opened" but its folder and file say "ticket.created"',
    ],
    ["a type in another's folder", CREATED, { name: "invoice.created" }, /folder and file say "ticket\.created"/],
    ["a name against the grammar", CREATED, { name: "ticket.Created" }, /^name: /],
    ["a name of one part", CREATED, { name: "ticket" }, /^name: /],
    [
      "a description that is no sentence",
      CREATED,
      { description: "Created tickets" },
      "description: must be a sentence that ends in a full stop",
    ],
    ["a time without a zone", CREATED, { example: { timestamp: "2026-03-17 07:00" } }, /^example\.timestamp: /],
    [
      "a path that could reach a prototype",
      CREATED,
      { example: { timestamp: "2026-03-17T07:00:00Z", set: { "__proto__.x": 1, "a.constructor_": 2 } } },
      /^example\.set/,
    ],
    [
      "a reference that the example lacks",
      RESOURCE,
      { referencePath: ["object", "number"] },
      "has no text at its referencePath object.number in the example",
    ],
    [
      "an alias that expressions use otherwise",
      RESOURCE,
      { aliases: ["event"] },
      '"event" already means something else in expressions',
    ],
    ["an alias that repeats the name", RESOURCE, { aliases: ["ticket"] }, 'the alias "ticket" is there already'],
    ["a type's alias that repeats the name", CREATED, { aliases: ["ticket"] }, 'the alias "ticket" is there already'],
    [
      "a field alias that leads nowhere",
      RESOURCE,
      { fieldAliases: { opened_date: "openedAt" } },
      'fieldAliases "opened_date" leads to "openedAt", which no example has',
    ],
    [
      "a field alias that hides a member",
      RESOURCE,
      { fieldAliases: { id: "ticketNumber" } },
      'fieldAliases "id" is a real member of the object',
    ],
  ])("is refused for %s", async (_, file, members, message) => {
    const problems = await problemsOf(withMembers(file, members));
    expect(problems.map((problem) => problem.message)).toContainEqual(
      typeof message === "string" ? message : expect.stringMatching(message),
    );
  });

  test("names the file of each problem, relative to the catalogue", async () => {
    const problems = await problemsOf(withMembers(CREATED, { label: "x" }));
    expect(problems).toEqual([{ file: CREATED, message: 'unknown key "label"' }]);
  });

  test("reports all of its problems at once, in the message too", async () => {
    const files = {
      ...withMembers(RESOURCE, { alias: [] }),
      "example-objects/other.json": "{",
      "event-types/notes.txt": "",
    };
    await put(files);
    await expect(loadCatalogue(folder)).rejects.toThrow(
      /3 problem\(s\)[^]*notes\.txt: does not belong here[^]*resource\.json: unknown key[^]*other\.json: is not JSON/,
    );
  });

  test("is refused when a list stands where an object belongs", async () => {
    expect(await problemsOf({ ...smallest(), [CREATED]: "[]" })).toEqual([
      { file: CREATED, message: expect.stringMatching(/object/) },
    ]);
  });

  test("is refused when a resource has no file of its own, or no event type", async () => {
    const { [RESOURCE]: _, ...withoutResource } = smallest();
    expect(await problemsOf(withoutResource)).toEqual([{ file: RESOURCE, message: "cannot be read (ENOENT)" }]);
    await rm(join(folder, CREATED));
    expect(await problemsOf({ [RESOURCE]: smallest()[RESOURCE] })).toEqual([
      { file: "event-types/ticket", message: "holds no event type" },
    ]);
  });

  test("is refused when its folder is not there", async () => {
    const error: unknown = await loadCatalogue(join(folder, "nowhere")).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "CATALOGUE_INVALID" });
    expect((error as Error).message).toContain("event-types: cannot be read (ENOENT)");
  });
});
