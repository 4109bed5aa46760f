// Completion as shells run it: bash really completes, and the scripts name every command and option that there is.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensureBuilt, posthorn } from "../support/command.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-completion-"));
const scripts = new Map<string, string>();
const pathOf = (shell: string): string => join(folder, shell);
const has = (shell: string): boolean => spawnSync(shell, ["-c", "exit 0"]).status === 0;

beforeAll(async () => {
  ensureBuilt();
  for (const shell of ["bash", "zsh", "fish"]) {
    const { out, code } = await posthorn(["completion", shell]);
    expect(code).toBe(0);
    scripts.set(shell, out);
    writeFileSync(pathOf(shell), out);
  }
}, 180_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What bash offers at the end of these words; the last one may be unfinished. */
function offered(...words: string[]): string[] {
  const script = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _posthorn; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-u", "-c", script, pathOf("bash"), ...words], {
    encoding: "utf8",
  });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout.split("\n").filter((line) => line !== "");
}

describe("bash", () => {
  test.each([
    [["posthorn", "tr"], ["trigger"]],
    [["posthorn", "webhooks", "p"], ["pause"]],
    [
      ["posthorn", "deliveries", "--state", "d"],
      ["delivered", "dead_letter"],
    ],
    [["posthorn", "deliveries", "--state", "=", "he"], ["held"]],
    [["posthorn", "deliveries", "--sta"], ["--state"]],
    [["posthorn", "webhooks", "logs", "My webhook", "--status", "f"], ["failed"]],
    [["posthorn", "events", "--type", "x", "--li"], ["--limit"]],
    [["posthorn", "trigger", "invoice.paid", "--wait", "--js"], ["--json"]],
    [
      ["posthorn", "completion", ""],
      ["bash", "zsh", "fish"],
    ],
    // Files: the shell's own completion takes over where nothing of ours is offered.
    [["posthorn", "apply", ""], []],
    [["posthorn", "trigger", "--file", "e"], []],
  ])("completes %j to %j", (words, wanted) => {
    expect(offered(...words)).toEqual(wanted);
  });

  test("offers every command that the help names, and what a group holds", async () => {
    const { out } = await posthorn(["--help"]);
    const names = [...out.matchAll(/^ {2}([a-z][a-z-]+) {2,}/gm)].map(([, name]) => name);
    expect(names.length).toBeGreaterThan(18);
    expect(offered("posthorn", "")).toEqual(names);
    expect(offered("posthorn", "keys", "")).toEqual(["list", "create", "show", "revoke", "recover"]);
  });

  test("offers every option that a command's help names", async () => {
    for (const path of [["receive"], ["webhooks", "create"], ["keys", "recover"], ["serve"]]) {
      const { out } = await posthorn([...path, "--help"]);
      const flags = [...out.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
      expect(flags.length).toBeGreaterThan(4);
      expect(offered("posthorn", ...path, "--").toSorted()).toEqual([...new Set(flags)].toSorted());
    }
  });
});

describe("the other shells", () => {
  test.skipIf(!has("zsh"))("zsh can read its script", () => {
    const { status, stderr } = spawnSync("zsh", ["-n", pathOf("zsh")], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });

  test.skipIf(!has("fish"))("fish can read its script", () => {
    const { status, stderr } = spawnSync("fish", ["-n", pathOf("fish")], { encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });

  test("get the same commands, options and values", () => {
    expect(scripts.get("zsh")).toContain("'posthorn deliveries:--state') compadd -- 'pending' 'held' 'delivered'");
    expect(scripts.get("zsh")).toMatch(/^#compdef posthorn\n/);
    expect(scripts.get("fish")).toContain(
      "-n '__fish_seen_subcommand_from deliveries' -l state -x -a 'pending held delivered dead_letter cancelled'",
    );
  });
});

test("a shell that is not known is a mistake of usage", async () => {
  const ended = await posthorn(["completion", "tcsh"]);
  expect([ended.code, ended.out, ended.err]).toEqual([
    2,
    "",
    expect.stringContaining("Allowed choices are bash, zsh, fish"),
  ]);
});
