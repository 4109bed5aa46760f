// posthorn receive: its arguments, and what it says at the start and at the end. What it does is in receive-run.ts.
import { randomBytes } from "node:crypto";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { usageFailure } from "../lib/exit.ts";
import { readInput } from "../lib/json-input.ts";
import { runs } from "../lib/run.ts";
import { collect, countParser, parseMilliseconds, parseShare } from "../lib/values.ts";
import { answerPlan } from "../receiver/plan.ts";
import { runReceive } from "./receive-run.ts";

interface ReceiveGiven extends ServerOptions {
  readonly port: number;
  readonly host: string;
  readonly subscribe?: readonly string[];
  readonly secret?: readonly string[];
  readonly secretFile?: string;
  readonly status?: number;
  readonly failRate?: number;
  readonly seed?: number;
  readonly delay?: number;
  readonly strict?: boolean;
  readonly body?: boolean;
  readonly count?: number;
}

export function registerReceive(program: Command): void {
  withServer(program.command("receive"))
    .option("--port <port>", "Where to listen; 0 for a free one", countParser(0, 65_535), 9_000)
    .option("--host <address>", "The address to listen at", "127.0.0.1")
    .option("--subscribe <types>", "Make a webhook for it, several types by commas; deleted at the end", collect)
    .option("--secret <secret>", "Secrets of which one must fit, several by commas [WEBHOOK_SECRET]", collect)
    .option("--secret-file <file>", "The secret from a file, which others cannot see in the list of processes")
    .option("--status <code>", "Answer this; with --fail-rate, what failures answer", countParser(200, 599))
    .option("--fail-rate <share>", "Answer this share with --status, or 500: 0.3", parseShare)
    .option("--seed <number>", "Fail the same requests every time", countParser(0, 999_999_999))
    .option("--delay <duration>", "Wait before each answer: 500ms, 2s", parseMilliseconds)
    .option("--strict", "Answer 401 when no signature fits, as receivers should")
    .option("--body", "Show bodies too")
    .option("--count <count>", "End after so many requests", countParser(1, 999_999_999))
    .addHelpText(
      "after",
      `
The server must be allowed to reach it: POSTHORN_ALLOW_TARGETS=127.0.0.1:9000.
--subscribe needs a key with write:webhooks; without it no server is asked.
Signatures of all named profiles are checked, and must be of the last 5 minutes.

Examples:
  posthorn receive --subscribe 'invoice.*'
  posthorn receive --secret-file secret.txt --strict
  posthorn receive --subscribe '*' --fail-rate 0.3 --seed 7
  posthorn receive --status 500 --delay 2s
`,
    )
    .action(
      runs(async (io, options: ReceiveGiven) => {
        const { subscribe, delay = 0, seed } = options;
        const given = await secretsOf(options);
        if (seed !== undefined && options.failRate === undefined) throw usageFailure("--seed is for --fail-rate.");
        // Before anything starts, so that a missing key is said at once.
        const posthorn = subscribe === undefined ? null : clientOf(options);
        return runReceive(io, {
          at: { host: options.host, port: options.port },
          posthorn,
          types: subscribe ?? [],
          // One of its own, so that the first delivery can be verified: made here, it has never been anywhere else.
          secrets: given ?? [`whsec_${randomBytes(24).toString("base64")}`],
          isOwnSecret: given === null,
          plan: answerPlan(options),
          seed: seed ?? null,
          delayMs: delay,
          isStrict: options.strict === true,
          showsBodies: options.body === true,
          endAfter: options.count ?? null,
          nowMs: () => Date.now(),
        });
      }),
    );
}

async function secretsOf({ secret, secretFile }: ReceiveGiven): Promise<readonly string[] | null> {
  if (secretFile !== undefined && secret !== undefined) throw usageFailure("Give --secret or --secret-file, not both.");
  const fromFile = secretFile === undefined ? null : (await readInput(secretFile)).toString("utf8").trim();
  if (fromFile === "") throw usageFailure(`${secretFile} is empty.`);
  const secrets = fromFile === null ? (secret ?? collect(process.env["WEBHOOK_SECRET"] ?? "")) : [fromFile];
  return secrets.length === 0 ? null : secrets;
}
