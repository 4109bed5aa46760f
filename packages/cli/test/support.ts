// Commands in this process: what they print, and the exit code, against a real server.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Posthorn } from "@posthorn/client";
import { TEST_API_KEY } from "../../server/test/support/node.ts";
import { type ApplyOptions, runApply } from "../src/commands/apply-run.ts";
import { type ExportOptions, runExport } from "../src/commands/export-run.ts";
import { Io } from "../src/lib/io.ts";

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A file of the printed webhooks, as published. */
export function printedFile(name: "ecommerce-order" | "crm-customer-sync"): string {
  return fileURLToPath(new URL(`../../../examples/webhooks/${name}.yaml`, import.meta.url));
}

/** Standard output and error that are no terminal, kept. */
function pipes(isJson: boolean): { io: Io; out: string[]; err: string[] } {
  const out: string[] = [];
  const err: string[] = [];
  const stream = (kept: string[]) => ({ isTTY: false, write: (text: string) => kept.push(text) }) as never;
  return { io: new Io({ stdout: stream(out), stderr: stream(err), env: {} }, { isJson }), out, err };
}

/** @param files paths; or texts by name, which are not read from disk */
export async function apply(
  url: string,
  files: readonly string[] | Readonly<Record<string, string>>,
  options: ApplyOptions & { json?: boolean } = {},
  environment: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const { io, out, err } = pipes(options.json === true);
  const texts = Array.isArray(files) ? null : (files as Readonly<Record<string, string>>);
  const names = texts === null ? (files as readonly string[]) : Object.keys(texts);
  const code = await runApply(names, options, {
    webhooks: new Posthorn({ url, apiKey: TEST_API_KEY }).webhooks,
    environment,
    readText: async (name) => texts?.[name] ?? (await readFile(name, "utf8")),
    io,
  });
  return { code, out: out.join(""), err: err.join("") };
}

/** `out` is what would be in the file. */
export async function exported(url: string, names: readonly string[] = [], options: ExportOptions = {}): Promise<Ran> {
  let out = "";
  const { io, err } = pipes(false);
  const code = await runExport(names, options, {
    url: "http://posthorn.test",
    webhooks: new Posthorn({ url, apiKey: TEST_API_KEY }).webhooks,
    write: async ({ text }) => {
      out = text;
    },
    io,
  });
  return { code, out, err: err.join("") };
}
