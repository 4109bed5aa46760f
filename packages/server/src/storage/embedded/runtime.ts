// Copies the PostgreSQL binaries to where the database's user can run them, with the links that npm left out.
// It must never leave a half copy under the final name, and never change a copy that a server may be running from.
import { randomUUID } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join, relative, sep } from "node:path";
import { isProcessAlive } from "../../lib/process-identity.ts";
import type { PostgresBinaries } from "./binaries.ts";

/**
 * Makes sure that `<runtimeRoot>/<build name>/` holds a complete copy and returns its path; 0.3 s the first time,
 * a few milliseconds later. A copy is needed because npm ci deletes its folder under a running server, because the
 * folder may be out of the reach of the database's user, and because installing with --ignore-scripts (as we do)
 * leaves out the links between shared libraries that the package's own script would make.
 */
export function ensureRuntime(binaries: PostgresBinaries, runtimeRoot: string): string {
  const runtimeDir = join(runtimeRoot, binaries.buildName);
  if (isComplete(binaries.nativeDir, runtimeDir)) return runtimeDir;
  mkdirSync(runtimeRoot, { recursive: true });
  removeAbandonedCopies(runtimeRoot);
  const draft = join(runtimeRoot, `.copy-${process.pid}-${randomUUID().slice(0, 8)}`);
  try {
    copyTree(binaries.nativeDir, draft);
    makeLinks(binaries.nativeDir, draft);
    if (existsSync(runtimeDir) && !isComplete(binaries.nativeDir, runtimeDir)) setAside(runtimeDir);
    publish(draft, runtimeDir);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return runtimeDir;
}

/** Removes the copies of other builds; only for a root that no other server uses. */
export function removeOtherRuntimes(runtimeDir: string): void {
  const root = dirname(runtimeDir);
  for (const name of readdirSync(root)) {
    if (name !== basename(runtimeDir)) rmSync(join(root, name), { recursive: true, force: true });
  }
}

/** Renamed before it is removed: nobody may meet it half removed. */
function setAside(runtimeDir: string): void {
  const broken = join(dirname(runtimeDir), `.copy-${process.pid}-broken-${randomUUID().slice(0, 8)}`);
  renameSync(runtimeDir, broken);
  rmSync(broken, { recursive: true, force: true });
}

/** Two starters may copy at once; the first rename wins, and either copy is as good. */
function publish(draft: string, runtimeDir: string): void {
  try {
    renameSync(draft, runtimeDir);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code !== "ENOTEMPTY" && code !== "EEXIST" && code !== "EPERM") throw error;
  }
}

/**
 * Sizes are compared because a power failure soon after the first start can leave files empty behind a rename that
 * survived; programs and libraries are enough, and cost 30 calls instead of a thousand.
 */
function isComplete(nativeDir: string, runtimeDir: string): boolean {
  try {
    for (const folder of ["bin", "lib"]) {
      for (const entry of readdirSync(join(nativeDir, folder), { withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const name = join(folder, entry.name);
        if (statSync(join(nativeDir, name)).size !== statSync(join(runtimeDir, name)).size) return false;
      }
    }
    return linksOf(nativeDir).every((link) => statSync(join(runtimeDir, link.target)).isFile());
  } catch {
    return false;
  }
}

/** Modes are set outright: the umask of whoever installed or starts must not decide whether the database can run. */
function copyTree(from: string, to: string): void {
  mkdirSync(to);
  chmodSync(to, 0o755);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const copy = join(to, entry.name);
    if (entry.isDirectory()) copyTree(source, copy);
    else if (entry.isFile()) {
      copyFileSync(source, copy);
      chmodSync(copy, basename(from) === "bin" ? 0o755 : 0o644);
    }
  }
}

type Link = { readonly source: string; readonly target: string };

/** The package's list names both ends from its own root, as `native/lib/…`; on Windows there is no list. */
function linksOf(nativeDir: string): Link[] {
  let text: string;
  try {
    text = readFileSync(join(nativeDir, "pg-symlinks.json"), "utf8");
  } catch {
    return [];
  }
  const inside = (path: string) => path.split("/").slice(1).join(sep);
  return (JSON.parse(text) as Link[]).map((link) => ({ source: inside(link.source), target: inside(link.target) }));
}

function makeLinks(nativeDir: string, runtimeDir: string): void {
  for (const link of linksOf(nativeDir)) {
    const path = join(runtimeDir, link.target);
    rmSync(path, { force: true });
    symlinkSync(relative(dirname(link.target), link.source), path);
  }
}

/** The pid in the name tells whether somebody is still copying. */
function removeAbandonedCopies(runtimeRoot: string): void {
  for (const name of readdirSync(runtimeRoot)) {
    const pid = /^\.copy-(\d+)-/.exec(name)?.[1];
    if (pid === undefined || isProcessAlive({ pid: Number(pid), startedAt: "" })) continue;
    rmSync(join(runtimeRoot, name), { recursive: true, force: true });
  }
}
