// `npm run demo` as people run it: it tells the story that it promises, in time and in sixty columns, and leaves nothing
// behind, also when it is stopped in the middle.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newFolder } from "../../../server/test/support/folder.ts";
import { until } from "../../../server/test/support/until.ts";
import { ROOT } from "./blocks.ts";

const COLUMNS = 60;
let temporary: string;

beforeAll(() => {
  // Its own, so that whatever is left in it was left by the demo.
  temporary = newFolder("demo-");
});
afterAll(() => rmSync(temporary, { recursive: true, force: true }));

function start() {
  const child = spawn(process.execPath, [join(ROOT, "scripts", "demo.mjs")], {
    env: { ...process.env, TMPDIR: temporary, COLUMNS: String(COLUMNS), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const read = (chunk: Buffer): void => {
    output += chunk.toString();
  };
  child.stdout.on("data", read);
  child.stderr.on("data", read);
  return { child, output: () => output, ended: once(child, "close") };
}

/** Numbers behind a label of the table. */
function figuresOf(output: string, label: string): number[] {
  const line = output.split("\n").find((each) => each.trim().startsWith(label)) ?? "";
  return line
    .replace(label, "")
    .trim()
    .split(/\s{2,}/)
    .map(Number);
}

describe("npm run demo", () => {
  test("accounts for every event of its day", async () => {
    const { child, output, ended } = start();
    await ended;
    const text = output();
    expect(child.exitCode, text).toBe(0);
    const [captured, filtered, matched, delivered] = [
      "captured, of its types",
      "filtered out by",
      "matched",
      "delivered",
    ].map((label) => figuresOf(text, label));
    expect(captured).toEqual([239, 31]);
    expect(filtered).toEqual([84, 0]);
    expect(figuresOf(text, "order.total > 100")).toEqual([83, 0]);
    expect(figuresOf(text, 'order.status != "draft"')).toEqual([1, 0]);
    expect(matched).toEqual([155, 31]);
    expect(delivered).toEqual(matched);
    expect(figuresOf(text, "of them retried")[0]).toBeGreaterThanOrEqual(1);
    expect(figuresOf(text, "signatures refused")).toEqual([0, 0]);
    expect(text).toMatch(/p50.*\d/);
    expect(text).toMatch(/p99.*\d/);
    const tooWide = text.split("\n").filter((line) => line.length > COLUMNS);
    expect(tooWide).toEqual([]);
    expect(readdirSync(temporary)).toEqual([]);
  }, 120_000);

  test("stopped by Ctrl-C it ends at once and leaves nothing behind", async () => {
    const { child, output, ended } = start();
    await until("the first events", async () => /captured [1-9]/.test(output()), 60_000);
    child.kill("SIGINT");
    await ended;
    expect(child.exitCode, output()).toBe(130);
    expect(output()).toContain("Stopping");
    expect(output()).not.toContain("failed");
    expect(readdirSync(temporary)).toEqual([]);
  }, 90_000);
});
