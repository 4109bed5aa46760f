// A file that holds one thing, as YAML or JSON: read whole, said where it is wrong.
import { readFile } from "node:fs/promises";
import { text } from "node:stream/consumers";
import { usageFailure } from "../lib/exit.ts";
import { readYaml } from "./read-yaml.ts";
import { plainValue } from "./tree.ts";

/** @param file - reads standard input */
export async function readDocument(file: string): Promise<unknown> {
  const read = readYaml(file === "-" ? await text(process.stdin) : await readFile(file, "utf8"), file);
  const [problem] = read.problems;
  if (problem !== undefined) throw usageFailure(`${problem.place.file}:${problem.place.line}: ${problem.message}`);
  const [document] = read.documents;
  if (document === undefined || read.documents.length > 1) throw usageFailure(`${file}: expected one document.`);
  return plainValue(document);
}
