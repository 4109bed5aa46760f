// Which server a command talks to, and with which key: flags, then the environment, then the key that a running server
// with an embedded database keeps in its data directory. Must never print a key.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Posthorn, type PosthornOptions } from "@posthorn/client";
import { type Command, Option } from "commander";
import { CommandFailure, EXIT, usageFailure } from "./lib/exit.ts";

export interface ServerOptions {
  readonly url?: string;
  readonly apiKey?: string;
  readonly company?: string;
  readonly dataDir?: string;
}

/** A server that is not there is said soon. */
const PERSON_WAITS = { maxTries: 4, deadlineMs: 15_000 };
const DEFAULT_URL = "http://127.0.0.1:8420";
const DEFAULT_DATA_DIR = "./.posthorn";
/** Written by `posthorn serve`, readable by its user only. */
const OPERATOR_KEY_FILE = "operator.key";

/** Adds the options of commands that talk to a server, and `--json`. */
export function withServer(command: Command): Command {
  return withJson(command)
    .addOption(new Option("--url <url>", "Where Posthorn serves. [POSTHORN_URL]").helpGroup("Server:"))
    .addOption(
      new Option(
        "--api-key <key>",
        "The API key; others see it in the list of processes. [POSTHORN_API_KEY]",
      ).helpGroup("Server:"),
    )
    .addOption(new Option("--company <id>", "The company inside the tenant: company_….").helpGroup("Server:"))
    .addOption(
      new Option(
        "--data-dir <folder>",
        `Of an embedded server on this machine, whose key is used when none is given. [POSTHORN_DATA_DIR]`,
      ).helpGroup("Server:"),
    );
}

export function withJson(command: Command): Command {
  return command.option("--json", "Print JSON instead of words.");
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The client for these options.
 * @throws CommandFailure NO_API_KEY when none is given and no embedded server runs there
 */
export function clientOf(
  options: ServerOptions,
  env: Environment = process.env,
  retry: PosthornOptions["retry"] = PERSON_WAITS,
): Posthorn {
  const givenUrl = options.url ?? (env["POSTHORN_URL"] || undefined);
  const givenKey = options.apiKey ?? (env["POSTHORN_API_KEY"] || undefined);
  const access = givenKey === undefined ? localAccess(options, env) : null;
  if (access !== null && givenUrl !== undefined && !sameServer(givenUrl, access.url)) {
    throw usageFailure(
      `There is a key for ${access.url} in ${access.path}, but none for ${givenUrl}.`,
      "Give one with POSTHORN_API_KEY or --api-key.",
    );
  }
  const apiKey = givenKey ?? access?.apiKey;
  if (apiKey === undefined) throw noApiKey(options, env);
  return new Posthorn({
    url: givenUrl ?? access?.url ?? DEFAULT_URL,
    apiKey,
    userAgent: "posthorn-cli",
    retry,
    ...(options.company === undefined ? {} : { companyId: options.company }),
  });
}

function dataDirOf(options: ServerOptions, env: Environment): string {
  return options.dataDir ?? (env["POSTHORN_DATA_DIR"] || DEFAULT_DATA_DIR);
}

function noApiKey(options: ServerOptions, env: Environment): CommandFailure {
  const folder = dataDirOf(options, env);
  return new CommandFailure("NO_API_KEY", "No API key is given.", {
    hint: `Set POSTHORN_API_KEY or give --api-key. Without one, the key of an embedded server that runs on this machine is used; none runs in ${folder} (see --data-dir).`,
    exitCode: EXIT.usage,
  });
}

interface LocalAccess {
  readonly url: string;
  readonly apiKey: string;
  readonly path: string;
}

/** What a running embedded server left for commands beside it; null when there is none. */
function localAccess(options: ServerOptions, env: Environment): LocalAccess | null {
  const path = join(dataDirOf(options, env), OPERATOR_KEY_FILE);
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return null;
    throw usageFailure(
      `${path} cannot be read (${code}).`,
      "It is for the user who runs the server, or give --api-key.",
    );
  }
  try {
    const { url, apiKey } = JSON.parse(text) as { url?: unknown; apiKey?: unknown };
    if (typeof url === "string" && typeof apiKey === "string") return { url, apiKey, path };
  } catch {
    // Said below, as for any other content.
  }
  throw usageFailure(`${path} is not what a server writes there.`, "Remove it, and start the server again.");
}

function sameServer(a: string, b: string): boolean {
  if (!URL.canParse(a) || !URL.canParse(b)) return false;
  const [one, other] = [new URL(a), new URL(b)];
  const local = (url: URL): string => (["localhost", "[::1]"].includes(url.hostname) ? "127.0.0.1" : url.hostname);
  return local(one) === local(other) && one.port === other.port;
}
