// posthorn apply: files in, plan and changes out. Everything wrong is told with file, line and column, all at once;
// values of files are never printed, they may be secrets.
import { type Posthorn, PosthornError, type NamedWebhook, type PlannedWebhook } from "@posthorn/client";
import { type Loaded, type LoadOptions, loadWebhookFiles, type SourceFile } from "../files/load.ts";
import { parseMapping, type UrlMapping } from "../files/map-url.ts";
import { hasChanges, planLines, summaryOf } from "../files/plan-text.ts";
import { type Place, PLACEHOLDER_NAME } from "../files/tree.ts";
import { EXIT, type ExitCode } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { clean } from "../lib/text.ts";

export interface ApplyOptions {
  readonly dryRun?: boolean;
  readonly prune?: boolean;
  readonly keepSecrets?: boolean;
  readonly detailedExitcode?: boolean;
  /** `NAME=value`. */
  readonly set?: readonly string[];
  /** `FROM=TO`. */
  readonly mapUrl?: readonly string[];
}

/** What the command works with. */
export interface ApplyWorld {
  readonly io: Io;
  readonly webhooks: Pick<Posthorn["webhooks"], "apply">;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Text of a file; `-` is the standard input. */
  readonly readText: (file: string) => Promise<string>;
}

interface Complaint {
  readonly place: Place | null;
  readonly message: string;
  /** What the server calls it. */
  readonly code?: string;
}

/** Runs to the end; the result is the exit code. */
export async function runApply(files: readonly string[], options: ApplyOptions, world: ApplyWorld): Promise<ExitCode> {
  const prepared = await prepare(files, options, world);
  if (!prepared.ok) return refuse("INVALID_FILE", prepared.complaints, world.io);
  const { loaded } = prepared;
  if (loaded.webhooks.length === 0 && options.prune === true) {
    const message = "The files hold no webhook; with --prune that would delete all of them. Nothing was done.";
    return refuse("INVALID_FILE", [{ place: null, message }], world.io);
  }
  try {
    const how = { dryRun: options.dryRun === true, prune: options.prune === true };
    // The server checks the fields: what is wrong comes back with its name, and gets its place here.
    const answer = await world.webhooks.apply(loaded.webhooks as unknown as NamedWebhook[], how);
    show(answer, loaded, world.io);
    const wouldChange = how.dryRun && options.detailedExitcode === true && hasChanges(answer.plan);
    return wouldChange ? EXIT.wouldChange : EXIT.ok;
  } catch (error) {
    if (!(error instanceof PosthornError) || error.details.length === 0) throw error;
    if (error.status !== 422 && error.code !== "AMBIGUOUS_NAME") throw error;
    const complaints = error.details.map(({ field = "", message, code, position }) => ({
      code,
      place: loaded.placeOf(field, typeof position === "number" ? position : undefined),
      message: `${field.replace(/^webhooks\[\d+\]\.?/, "")}: ${message}`.replace(/^: /, ""),
    }));
    return refuse(error.code, complaints, world.io);
  }
}

type Prepared =
  | { readonly ok: true; readonly loaded: Extract<Loaded, { ok: true }> }
  | { readonly ok: false; readonly complaints: readonly Complaint[] };

async function prepare(files: readonly string[], options: ApplyOptions, world: ApplyWorld): Promise<Prepared> {
  const complaints: string[] = [];
  const load: LoadOptions = {
    given: givenValues(options.set ?? [], complaints),
    mappings: givenMappings(options.mapUrl ?? [], complaints),
    environment: world.environment,
    keepSecrets: options.keepSecrets === true,
  };
  const sources: SourceFile[] = [];
  for (const name of files) {
    try {
      sources.push({ name: name === "-" ? "<stdin>" : name, text: await world.readText(name) });
    } catch (error) {
      complaints.push(`${name} cannot be read: ${(error as Error).message}`);
    }
  }
  const told = (message: string): Complaint => ({ place: null, message });
  if (complaints.length > 0) return { ok: false, complaints: complaints.map(told) };
  const loaded = loadWebhookFiles(sources, load);
  if (loaded.ok) return { ok: true, loaded };
  return { ok: false, complaints: [...loaded.problems, ...loaded.optionProblems.map(told)] };
}

function givenValues(texts: readonly string[], complaints: string[]): Map<string, string> {
  const given = new Map<string, string>();
  for (const text of texts) {
    const [name = "", ...value] = text.split("=");
    // What does not look like NAME=value may be a secret by mistake: it is not repeated.
    if (value.length === 0 || !PLACEHOLDER_NAME.test(name)) {
      complaints.push("--set takes NAME=value, with the name in capitals as it stands in the file: --set API_KEY=…");
    } else if (given.has(name)) complaints.push(`--set ${name} is given twice.`);
    else given.set(name, value.join("="));
  }
  return given;
}

function givenMappings(texts: readonly string[], complaints: string[]): UrlMapping[] {
  return texts.flatMap((text) => {
    const mapping = parseMapping(text);
    if (mapping === null) {
      complaints.push(`--map-url takes FROM=TO, as in https://api.crm.com=http://127.0.0.1:9000; got ${text}`);
    }
    return mapping ?? [];
  });
}

function show(
  { plan, applied }: { readonly plan: readonly PlannedWebhook[]; readonly applied: boolean },
  loaded: Extract<Loaded, { ok: true }>,
  io: Io,
): void {
  if (io.isJson) return io.json({ plan, applied });
  for (const line of planLines(plan, (colour, text) => io.paint(colour, text))) io.say(line);
  for (const [index, { warnings }] of plan.entries()) {
    for (const { field, message } of warnings ?? []) {
      const place = loaded.placeOf(`webhooks[${index}].${field}`);
      io.note(`${at(place)}Warning: ${clean(`${field}: ${message}`)}`);
    }
  }
  const made = plan.flatMap(({ name, secret }) => (secret === undefined ? [] : [[name ?? "", secret] as const]));
  if (made.length > 0) {
    io.heading("New signing secrets, shown only this once; the receivers verify with them:");
    io.fields(made);
  }
  if (plan.length > 0) io.say();
  io.say(summaryOf(plan, applied));
}

function refuse(code: string, complaints: readonly Complaint[], io: Io): ExitCode {
  const nothing = { hint: null, requestId: null, documentation: null, exitCode: EXIT.usage };
  const count = `${complaints.length} ${complaints.length === 1 ? "problem" : "problems"}`;
  const message = `${count}; nothing was changed.`;
  // As compilers do it: editors and terminals make a link of it.
  for (const complaint of complaints) io.note(`${at(complaint.place)}${clean(complaint.message)}`);
  const details = io.isJson ? complaints.map(({ place, ...rest }) => ({ ...place, code, ...rest })) : [];
  io.fail({ ...nothing, code, message, details });
  return EXIT.usage;
}

function at(place: Place | null): string {
  return place === null ? "" : `${place.file}:${place.line}:${place.column}: `;
}
