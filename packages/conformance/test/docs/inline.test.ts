// Commands that a sentence names (`posthorn listen --webhook NAME`): the command is there and has those options.
// Fenced blocks are run by pages.test.ts; what a sentence names is run by the command's own tests.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { ensureBuilt, posthorn } from "../../../cli/test/support/command.ts";
import { ROOT, writtenPages } from "./blocks.ts";

beforeAll(ensureBuilt, 180_000);

/** Each with the first page that names it. */
function commandsNamed(): Map<string, string> {
  const found = new Map<string, string>();
  for (const page of writtenPages()) {
    const prose = readFileSync(join(ROOT, "docs", page), "utf8").replaceAll(/^```[\s\S]*?^```$/gm, "");
    for (const [, command] of prose.matchAll(/`posthorn ([a-z][^`]*)`/g)) {
      const text = (command as string).replaceAll(/\s+/g, " ");
      if (!found.has(text)) found.set(text, page);
    }
  }
  return found;
}

test("every command that a sentence names is there, with its options", async () => {
  const named = commandsNamed();
  expect(named.size).toBeGreaterThan(10);
  for (const [text, page] of named) {
    const words = text.split(" ");
    const end = words.findIndex((word) => !/^[a-z][a-z-]*$/.test(word));
    const path = end === -1 ? words : words.slice(0, end);
    const help = await posthorn([...path, "--help"]);
    expect([page, text, help.code, help.err]).toEqual([page, text, 0, ""]);
    for (const option of words.filter((word) => word.startsWith("--"))) {
      expect([page, text, help.out.includes(`${option} `)]).toEqual([page, text, true]);
    }
  }
}, 120_000);
