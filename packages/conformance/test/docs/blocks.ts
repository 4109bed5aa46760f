// The fenced blocks of the documents, and the tools that they need on this machine.
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../../../../", import.meta.url));
const DOCS = join(ROOT, "docs");

export interface Block {
  readonly language: string;
  /** What stands behind the language: `terminal` for a command that goes on. */
  readonly note: string;
  readonly text: string;
  /** `docs/quick-start.md:12` */
  readonly place: string;
}

/** Made from the code by scripts/docs-pages.mjs; what they show is tested where it is made. */
const GENERATED = /^(api|cli|errors|settings|catalogue)\.md$|^catalogue\//;
const FOR_CONTRIBUTORS = /^decisions\//;

/** The pages that people wrote, as paths below docs/. */
export function writtenPages(): string[] {
  return readdirSync(DOCS, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => path.endsWith(".md") && !GENERATED.test(path) && !FOR_CONTRIBUTORS.test(path))
    .sort();
}

/** All blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  const source = readFileSync(join(DOCS, page), "utf8");
  return [...source.matchAll(/^```(\w*)[ ]?([^\n]*)\n([\s\S]*?)^```$/gm)].map((found) => ({
    language: found[1] ?? "",
    note: (found[2] ?? "").trim(),
    text: found[3] ?? "",
    place: `docs/${page}:${source.slice(0, found.index).split("\n").length}`,
  }));
}

/** The one block of a language on a page. */
export function onlyBlock(page: string, language: string): Block {
  const found = blocksOf(page).filter((block) => block.language === language);
  if (found.length !== 1 || found[0] === undefined) {
    throw new Error(`docs/${page} has ${found.length} blocks of ${language}, expected one`);
  }
  return found[0];
}

/** @throws with what to install: a snippet that nobody could run must not look tested */
export function requireTool(tool: string, debianPackage: string): void {
  const found = spawnSync("sh", ["-c", `command -v ${tool}`]).status === 0;
  if (!found)
    throw new Error(`${tool} is not installed; the documents' snippets need it: apt-get install ${debianPackage}`);
}
