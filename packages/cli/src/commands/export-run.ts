// posthorn export: the webhooks of a server as a file that apply takes, here or elsewhere. Nothing is left out in
// silence: a webhook that a file cannot hold ends the export with its name. Secrets never come out of a server.
import { nearestNames } from "@posthorn/contract";
import type { Posthorn } from "@posthorn/client";
import { ownForm } from "../files/own-form.ts";
import { type NamedSecret, PlaceholderNames } from "../files/placeholder-names.ts";
import { printedForm } from "../files/printed-export.ts";
import type { ShownWebhook } from "../files/webhook-shape.ts";
import { secretsComment, writeOwnForm, writePrintedForm } from "../files/write-yaml.ts";
import { EXIT, type ExitCode } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { clean } from "../lib/text.ts";

export interface ExportOptions {
  readonly form?: "own" | "printed";
}

export interface Exported {
  readonly form: "own" | "printed";
  readonly webhookCount: number;
  /** What has to be given when the text is applied. */
  readonly secrets: readonly NamedSecret[];
  readonly text: string;
}

export interface ExportWorld {
  readonly url: string;
  readonly webhooks: Pick<Posthorn["webhooks"], "list">;
  /** Writes the file, or prints it. */
  readonly write: (exported: Exported) => Promise<void>;
  readonly io: Io;
}

/** @param wanted names of webhooks; all of them when empty. The result is the exit code. */
export async function runExport(
  wanted: readonly string[],
  options: ExportOptions,
  world: ExportWorld,
): Promise<ExitCode> {
  const all: ShownWebhook[] = [];
  for await (const webhook of world.webhooks.list({ limit: 200 })) all.push(webhook as unknown as ShownWebhook);
  // Oldest first: applied elsewhere they come into being in the same order.
  all.reverse();
  const chosen = wanted.length === 0 ? all : all.filter(({ name }) => wanted.includes(String(name)));
  const problems = [...unknownNames(wanted, all), ...unfitNames(chosen)];
  if (problems.length > 0) return refuse(problems, world);
  const names = new PlaceholderNames();
  if (options.form !== "printed") {
    const forms = chosen.map((webhook) => ownForm(webhook, names));
    const text = writeOwnForm(forms, comment(chosen, names.all, world.url, OWN_SECRETS));
    await world.write({ form: "own", webhookCount: chosen.length, secrets: names.all, text });
    return EXIT.ok;
  }
  const printed = chosen.map((webhook) => ({ webhook, result: printedForm(webhook, names) }));
  const unfit = printed.flatMap(({ webhook, result }) =>
    result.fits ? [] : result.problems.map((problem) => `${JSON.stringify(webhook["name"])}: ${problem}.`),
  );
  if (unfit.length > 0) return refuse([...unfit, "Export these in the own form: --form own."], world);
  const forms = printed.flatMap(({ result }) => (result.fits ? [result.form] : []));
  const text = writePrintedForm(forms, comment(chosen, names.all, world.url, PRINTED_SECRETS));
  await world.write({ form: "printed", webhookCount: chosen.length, secrets: names.all, text });
  return EXIT.ok;
}

const OWN_SECRETS =
  "Secrets are not in this file. Give each of these with --set NAME=value or in the environment;\n" +
  "where the webhooks exist already, --keep-secrets leaves those that you do not give as they are.";
const PRINTED_SECRETS =
  "Secrets are not in this file. Give each of these with --set NAME=value or in the environment. The printed form\n" +
  "has no place for signing secrets: where a webhook is new, one is made.";

function comment(
  webhooks: readonly ShownWebhook[],
  secrets: readonly NamedSecret[],
  url: string,
  aboutSecrets: string,
): string {
  const count = `${webhooks.length} ${webhooks.length === 1 ? "webhook" : "webhooks"}`;
  const lines = [`${count} of ${url}. To be applied with: posthorn apply FILE`];
  if (secrets.length > 0) lines.push("", aboutSecrets, secretsComment(secrets));
  const paused = webhooks.filter(({ status }) => status === "paused");
  if (paused.length > 0) {
    const names = paused.map(({ name }) => JSON.stringify(name)).join(", ");
    lines.push("", `Paused when this was written, which a file does not say: ${names}`);
  }
  return lines.join("\n");
}

function unknownNames(wanted: readonly string[], webhooks: readonly ShownWebhook[]): string[] {
  const known = webhooks.map(({ name }) => String(name));
  return wanted
    .filter((name) => !known.includes(name))
    .map((name) => {
      const nearest = nearestNames(name, known, 2).map((each) => JSON.stringify(each));
      const hint = nearest.length === 0 ? "" : ` Did you mean ${nearest.join(" or ")}?`;
      return `There is no webhook ${JSON.stringify(name)}.${hint}`;
    });
}

/** A file knows webhooks by their names, so each needs one of its own. */
function unfitNames(webhooks: readonly ShownWebhook[]): string[] {
  const byName = new Map<unknown, ShownWebhook[]>();
  for (const webhook of webhooks) byName.set(webhook["name"], [...(byName.get(webhook["name"]) ?? []), webhook]);
  return [...byName].flatMap(([name, same]) => {
    const ids = same.map(({ id }) => id).join(", ");
    if (name === null) return [`These webhooks have no name, by which a file would know them; give them one: ${ids}`];
    return same.length === 1
      ? []
      : [`${same.length} webhooks are called ${JSON.stringify(name)}; rename all but one: ${ids}`];
  });
}

function refuse(problems: readonly string[], { io }: ExportWorld): ExitCode {
  const nothing = { hint: null, requestId: null, documentation: null, exitCode: EXIT.usage };
  for (const problem of problems) io.note(clean(problem));
  const details = io.isJson ? problems.map((message) => ({ message, code: "INVALID_USAGE" })) : [];
  io.fail({ ...nothing, code: "INVALID_USAGE", message: "Nothing was exported.", details });
  return EXIT.usage;
}
