// The verification functions of docs/guides/receiving.md, in five languages, each compiled or run by its own tools over
// real deliveries: what is genuine is accepted, everything else refused.
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { onlyBlock, requireTool } from "./blocks.ts";
import { type Case, captureCases, lineOf } from "./cases.ts";
import { compile } from "./compile.ts";

const PAGE = "guides/receiving.md";
const HARNESS = fileURLToPath(new URL("harness/", import.meta.url));

let cases: Case[];
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "posthorn-verifiers-"));
  cases = await captureCases();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Puts the page's snippet and our harness side by side; the result is their folder. */
function lay(language: string, snippet: string, harness: string): string {
  const place = mkdtempSync(join(folder, `${language}-`));
  writeFileSync(join(place, snippet), onlyBlock(PAGE, language).text);
  copyFileSync(join(HARNESS, harness), join(place, harness));
  return place;
}

function run(command: readonly string[], cwd: string, input = ""): string {
  const [program = "", ...args] = command;
  const result = spawnSync(program, args, { cwd, input, encoding: "utf8" });
  if (result.status !== 0)
    throw new Error(`${command.join(" ")}:\n${result.stdout}${result.stderr}${result.error ?? ""}`);
  return result.stdout;
}

/** Each case with what the function must say and what it says. */
function judge(command: readonly string[], cwd: string): void {
  const said = run(command, cwd, `${cases.map(lineOf).join("\n")}\n`)
    .trim()
    .toLowerCase()
    .split("\n");
  const expected = Object.fromEntries(cases.map(({ name, isGenuine }) => [name, String(isGenuine)]));
  expect(Object.fromEntries(cases.map(({ name }, index) => [name, said[index]]))).toEqual(expected);
}

test("the cases are real deliveries and what can be wrong with them", () => {
  expect(cases.filter(({ isGenuine }) => isGenuine).length).toBeGreaterThanOrEqual(9);
  expect(cases.filter(({ isGenuine }) => !isGenuine).length).toBeGreaterThanOrEqual(30);
  expect(new Set(cases.map(({ name }) => name)).size).toBe(cases.length);
});

test("TypeScript verifies", () => {
  const { folder: place, remove } = compile({ snippet: onlyBlock(PAGE, "ts").text });
  try {
    copyFileSync(join(HARNESS, "check.mjs"), join(place, "check.mjs"));
    judge([process.execPath, "check.mjs"], place);
  } finally {
    remove();
  }
});

test("Python verifies", () => {
  requireTool("python3", "python3");
  judge(["python3", "check.py"], lay("python", "snippet.py", "check.py"));
});

test("PHP verifies", () => {
  requireTool("php", "php-cli");
  judge(["php", "-d", "error_reporting=-1", "check.php"], lay("php", "snippet.php", "check.php"));
});

test("C# verifies", () => {
  requireTool("mcs", "mono-mcs");
  requireTool("mono", "mono-runtime");
  const place = lay("csharp", "Snippet.cs", "Check.cs");
  run(["mcs", "-warnaserror", "-out:check.exe", "Snippet.cs", "Check.cs"], place);
  judge(["mono", "check.exe"], place);
});

test("Java verifies", () => {
  requireTool("javac", "default-jdk-headless");
  requireTool("java", "default-jdk-headless");
  const place = lay("java", "PosthornSignature.java", "Check.java");
  run(["javac", "-Xlint:all", "-Werror", "PosthornSignature.java", "Check.java"], place);
  judge(["java", "-Xshare:auto", "Check"], place);
});
