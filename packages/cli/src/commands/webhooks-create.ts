// posthorn webhooks create: one webhook with the fields that a try needs. Whole ones come from files, by `apply`.
import type { NewWebhook } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { readInput } from "../lib/json-input.ts";
import { runs } from "../lib/run.ts";
import { collect, countParser, parseSeconds } from "../lib/values.ts";

interface CreateOptions extends ServerOptions {
  readonly to: string;
  readonly events: readonly string[];
  readonly name?: string;
  readonly filter?: readonly string[];
  readonly secret?: string;
  readonly secretFile?: string;
  readonly maxRetries?: number;
  readonly timeout?: number;
}

export function registerCreate(webhooks: Command): void {
  withServer(webhooks.command("create"))
    .description("Make a webhook. For templates, authorisation and the rest: posthorn apply.")
    .requiredOption("--to <url>", "Where to deliver: https://crm.example.com/hook")
    .requiredOption("--events <types>", "Event types and patterns, several by commas", collect)
    .option("--name <text>", "What people call it")
    .option("--filter <expression>", "Only events for which it is true; may be repeated", repeated)
    .option("--secret <secret>", "The signing secret; one is made otherwise")
    .option("--secret-file <file>", "The secret from a file, - for standard input")
    .option("--max-retries <count>", "Requests in all are one more", countParser(0, 100))
    .option("--timeout <duration>", "For one request: 15s", parseSeconds)
    .addHelpText(
      "after",
      `
Examples:
  posthorn webhooks create --to http://127.0.0.1:9000 --events 'invoice.*'
  posthorn webhooks create --name "Large orders" --events sales_order.created \\
    --filter 'object.total > 1000' --to https://crm.example.com/hook
`,
    )
    .action(runs(create));
}

const repeated = (text: string, before: readonly string[] = []): string[] => [...before, text];

async function create(io: Io, options: CreateOptions): Promise<void> {
  const { to, events, name, filter, maxRetries, timeout, secretFile } = options;
  if (options.secret !== undefined && secretFile !== undefined) {
    throw usageFailure("Give --secret or --secret-file, not both.");
  }
  const secret = secretFile === undefined ? options.secret : (await readInput(secretFile)).toString("utf8").trim();
  const fields: NewWebhook = {
    url: to,
    events,
    ...(name === undefined ? {} : { name }),
    ...(filter === undefined ? {} : { filters: filter }),
    ...(secret === undefined ? {} : { secret }),
    ...(maxRetries === undefined ? {} : { retryPolicy: { maxRetries } }),
    ...(timeout === undefined ? {} : { timeout }),
  };
  const webhook = await clientOf(options).webhooks.create(fields);
  if (io.isJson) return io.json(webhook);
  io.fields([
    ["Webhook", webhook.id],
    ["Events", webhook.events.join(" ")],
    ["URL", webhook.url],
    // One that was given is known already.
    ["Secret", secret === undefined ? webhook.secret : null],
  ]);
  for (const warning of webhook.warnings ?? []) io.note(`${warning.field}: ${warning.message}`);
  if (secret === undefined) io.note("The secret is shown only this once.");
}
