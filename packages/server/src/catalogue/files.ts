// Reads the catalogue's JSON files and judges each by its schema, collecting every problem instead of the first.
// Must name the file in each problem; must never fill in what a file leaves out, beyond the schema's defaults.
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { z } from "zod";

/** One thing that is wrong in the catalogue: the file, relative to its root, and a sentence. */
export interface CatalogueProblem {
  readonly file: string;
  readonly message: string;
}

/** The catalogue on disk cannot be used: the release is broken, so the program must not start. */
export class CatalogueError extends Error {
  override readonly name = "CatalogueError";
  readonly code = "CATALOGUE_INVALID";
  readonly problems: readonly CatalogueProblem[];

  constructor(folder: string, problems: readonly CatalogueProblem[]) {
    // Files are read side by side: sorted, the same catalogue gives the same message every time.
    const sorted = [...problems].sort((a, b) => (a.file === b.file ? 0 : a.file < b.file ? -1 : 1));
    const lines = sorted.map(({ file, message }) => `  ${file}: ${message}`);
    super(`The event catalogue in ${folder} has ${problems.length} problem(s):\n${lines.join("\n")}`);
    this.problems = sorted;
  }
}

/** A reader bound to one catalogue root; what it could not use stands in `problems`. */
export class CatalogueReader {
  readonly problems: CatalogueProblem[] = [];
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  report(file: string, message: string): void {
    this.problems.push({ file, message });
  }

  /** The names of the folders in `folder`, sorted; a plain file there is a problem. */
  async folders(folder: string): Promise<string[]> {
    return this.#list(folder, "folder");
  }

  /** The names of the JSON files in `folder` without their ending, sorted; anything else there is a problem. */
  async jsonFiles(folder: string): Promise<string[]> {
    return (await this.#list(folder, "file")).map((name) => basename(name, ".json"));
  }

  /** The file's content as its schema types it, or undefined after reporting why not. */
  async read<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema> | undefined> {
    const text = await this.#text(file);
    if (text === undefined) return undefined;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (error) {
      this.report(file, `is not JSON: ${(error as Error).message}`);
      return undefined;
    }
    const result = schema.safeParse(value);
    if (result.success) return result.data;
    for (const issue of result.error.issues) this.report(file, describeIssue(issue));
    return undefined;
  }

  /** The same for a file that may be missing. */
  async readIfThere<Schema extends z.ZodType>(file: string, schema: Schema): Promise<z.output<Schema> | undefined> {
    const entries = await readdir(this.#root).catch((): string[] => []);
    return entries.includes(file) ? this.read(file, schema) : undefined;
  }

  async #text(file: string): Promise<string | undefined> {
    try {
      return await readFile(join(this.#root, file), "utf8");
    } catch (error) {
      this.report(file, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
      return undefined;
    }
  }

  async #list(folder: string, wanted: "file" | "folder"): Promise<string[]> {
    let entries: { name: string; isDirectory(): boolean }[];
    try {
      entries = await readdir(join(this.#root, folder), { withFileTypes: true });
    } catch (error) {
      this.report(folder, `cannot be read (${(error as NodeJS.ErrnoException).code})`);
      return [];
    }
    // Hidden files are what editors and file managers leave behind.
    const visible = entries.filter((entry) => !entry.name.startsWith("."));
    const good = visible.filter((entry) =>
      wanted === "folder" ? entry.isDirectory() : !entry.isDirectory() && entry.name.endsWith(".json"),
    );
    for (const entry of visible) {
      if (!good.includes(entry))
        this.report(
          `${folder}/${entry.name}`,
          `does not belong here: not a ${wanted === "folder" ? "folder" : ".json file"}`,
        );
    }
    return good.map((entry) => entry.name).sort();
  }
}

function describeIssue(issue: z.core.$ZodIssue): string {
  const where = issue.path.map(String).join(".");
  if (issue.code === "unrecognized_keys") {
    const keys = issue.keys.map((key) => `"${where === "" ? key : `${where}.${key}`}"`);
    return `unknown key ${keys.join(", ")}`;
  }
  return where === "" ? issue.message : `${where}: ${issue.message}`;
}
