// posthorn keys: API keys of the tenant. A key's text is printed once, on standard output only.
import type { ApiKey, MintedApiKey, NewApiKey } from "@posthorn/client";
import { type Command, Option } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { CommandFailure, EXIT } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { printList } from "../lib/lists.ts";
import { runs } from "../lib/run.ts";
import type { Column } from "../lib/table.ts";
import { collect, countParser, parseSeconds, shownTime } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

const COLUMNS: readonly Column<ApiKey>[] = [
  { title: "ID", text: (key) => key.id },
  { title: "NAME", text: (key) => key.name, shrinksTo: 10 },
  { title: "STATUS", text: (key) => key.status },
  { title: "ENDS IN", text: (key) => `…${key.lastCharacters}`, goesAt: 5 },
  { title: "MODE", text: (key) => (key.livemode ? "live" : "sandbox"), goesAt: 2 },
  { title: "SCOPES", text: (key) => key.scopes.join(" "), shrinksTo: 10, goesAt: 3 },
  { title: "USED", text: (key) => shownTime(key.lastUsedAt) || "never", goesAt: 4 },
];

interface ListOptions extends ServerOptions {
  readonly status?: ApiKey["status"];
  readonly limit: number;
}

interface CreateOptions extends ServerOptions {
  readonly name: string;
  readonly scope: readonly string[];
  readonly sandbox?: boolean;
  readonly bindCompany?: string;
  readonly allowedIp?: readonly string[];
  readonly expires?: number;
  readonly readsWebhook?: string;
}

export function registerKeys(program: Command): void {
  const keys = program
    .command("keys")
    .addHelpText("after", "\nExample:\n  posthorn keys create --name Shop --scope write:events --expires 90d\n");

  withServer(keys.command("list", { isDefault: true }))
    .description("List the tenant's keys, newest first.")
    .addOption(new Option("--status <status>", "Only these").choices(["active", "expired", "revoked"]))
    .option("--limit <count>", "How many", countParser(1, 10_000), 50)
    .action(
      runs(async (io, { status, limit, ...options }: ListOptions) => {
        const query = { limit: Math.min(limit, 200), ...(status === undefined ? {} : { status }) };
        await printList(io, clientOf(options).apiKeys.list(query), limit, COLUMNS, "No keys.");
      }),
    );

  withServer(keys.command("create"))
    .description("Make a key; its text is shown this once.")
    .requiredOption("--name <text>", "What it is for")
    .option("--scope <scopes>", "What it may do, several by commas; not for --reads-webhook", collect, [])
    .option("--sandbox", "A sandbox key, blg_test_sk_…")
    .option("--bind-company <id>", "It may speak for this company only: company_…")
    .option("--allowed-ip <ips>", "From where it may be used: IPs and CIDRs, several by commas", collect)
    .option("--expires <duration>", "Until when from now: 90d, 12h", parseSeconds)
    .option("--reads-webhook <webhook>", "It reads this webhook, its events and deliveries, and nothing else")
    .addHelpText(
      "after",
      `
Examples:
  posthorn keys create --name "ERP publishes" --scope write:events
  posthorn keys create --name "reporting" --scope read:events --expires 90d
  posthorn keys create --name "CRM looks for itself" --reads-webhook "CRM Sync"
`,
    )
    .action(runs(createKey));

  withServer(keys.command("show"))
    .description("Show one key; never its text.")
    .argument("<key>", "key_…")
    .action(
      runs(async (io, options: ServerOptions, id: string) => showKey(io, await clientOf(options).apiKeys.get(id))),
    );

  withServer(keys.command("revoke"))
    .description("End a key at once and for good.")
    .argument("<key>", "key_…")
    .action(
      runs(async (io, options: ServerOptions, id: string) => {
        const key = await clientOf(options).apiKeys.revoke(id);
        if (io.isJson) return io.json(key);
        io.say(`${key.name} (${key.id}) is revoked.`);
      }),
    );

  keys
    .command("recover")
    .description("On the server itself: make a new administrator's key for a tenant that has lost its own.");
}

async function createKey(io: Io, options: CreateOptions): Promise<void> {
  const posthorn = clientOf(options);
  const { name, allowedIp, expires, readsWebhook } = options;
  const limits = {
    name,
    ...(allowedIp === undefined ? {} : { allowedIps: allowedIp }),
    ...(expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires * 1_000) }),
  };
  if (readsWebhook !== undefined) {
    const webhookId = await webhookIdOf(posthorn, readsWebhook);
    return showNewKey(io, await posthorn.readKeys.create(webhookId, limits));
  }
  if (options.scope.length === 0) {
    throw new CommandFailure("INVALID_USAGE", "What may the key do? Give --scope, or --reads-webhook.", {
      hint: "Scopes: write:events, read:events, read:webhooks, write:webhooks, write:deliveries, admin, operator.",
      exitCode: EXIT.usage,
    });
  }
  const key: NewApiKey = {
    ...limits,
    scopes: options.scope,
    ...(options.sandbox === true ? { livemode: false } : {}),
    ...(options.bindCompany === undefined ? {} : { companyId: options.bindCompany }),
  };
  showNewKey(io, await posthorn.apiKeys.create(key));
}

function showNewKey(io: Io, key: MintedApiKey): void {
  if (io.isJson) return io.json(key);
  io.say(io.paint("bold", key.key));
  io.note(`This is ${key.name} (${key.id}), shown only this once.`);
}

function showKey(io: Io, key: ApiKey): void {
  if (io.isJson) return io.json(key);
  io.fields([
    ["Name", key.name],
    ["Id", key.id],
    ["Status", key.status],
    ["Ends in", `…${key.lastCharacters}`],
    ["Mode", key.livemode ? "live" : "sandbox"],
    ["Scopes", key.scopes.join(", ")],
    ["Company", key.companyId],
    ["Reads", key.webhookId],
    ["Allowed IPs", key.allowedIps?.join(", ")],
    ["Limit", key.captureLimitPerSecond === null ? null : `${key.captureLimitPerSecond} events a second`],
    ["Made", shownTime(key.createdAt)],
    ["Expires", shownTime(key.expiresAt) || "never"],
    ["Used", shownTime(key.lastUsedAt) || "never"],
    ["Revoked", shownTime(key.revokedAt) || null],
  ]);
}
