// Compiles TypeScript of the documents in a folder of its own below node_modules, where the packages are found as a
// reader's program finds them. Strict, as a reader's program may be.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./blocks.ts";

export interface Compiled {
  readonly folder: string;
  readonly remove: () => void;
}

/** @param files texts by name without ending; compiled to `<name>.js` beside them */
export function compile(files: Readonly<Record<string, string>>): Compiled {
  const below = join(ROOT, "node_modules", ".posthorn-docs");
  mkdirSync(below, { recursive: true });
  const folder = mkdtempSync(join(below, "run-"));
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
    // Unless another test compiles at this moment.
    if (readdirSync(below).length === 0) rmSync(below, { recursive: true, force: true });
  };
  writeFileSync(join(folder, "package.json"), '{"type":"module"}');
  const compilerOptions = {
    strict: true,
    noUncheckedIndexedAccess: true,
    target: "es2023",
    module: "nodenext",
    skipLibCheck: true,
    types: ["node"],
  };
  const names = Object.keys(files).map((name) => `${name}.ts`);
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: names }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, `${name}.ts`), text);
  const tsc = join(ROOT, "node_modules", "typescript", "bin", "tsc");
  const result = spawnSync(process.execPath, [tsc, "-p", "."], { cwd: folder, encoding: "utf8" });
  if (result.status !== 0) {
    remove();
    throw new Error(`the snippets do not compile:\n${result.stdout}${result.stderr}`);
  }
  return { folder, remove };
}
