// posthorn verify: does the signature of a captured request fit? Works offline; must never print the secret or the body.
import { checkWebhook, type SignatureProfile, type SignatureCheck, verifySignature } from "@posthorn/client";
import { SIGNATURE_PROFILE_NAMES, SIGNATURE_RECIPES, type SignatureProfileName } from "@posthorn/contract";
import { type Command, Option } from "commander";
import { type Captured, readCaptured, readHeaders } from "../captured-request.ts";
import { withJson } from "../client-of.ts";
import { EXIT, type ExitCode, usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { readInput } from "../lib/json-input.ts";
import { runs } from "../lib/run.ts";
import { collect, parseSeconds } from "../lib/values.ts";

interface VerifyOptions {
  readonly headers?: string;
  readonly body?: string;
  readonly secret?: readonly string[];
  readonly secretFile?: string;
  readonly profile?: SignatureProfileName;
  readonly tolerance?: number;
}

export function registerVerify(program: Command): void {
  withJson(program.command("verify"))
    .argument("[request]", "a file with the whole request: headers, an empty line, body; - for standard input")
    .option("--headers <file>", "The headers alone, one on each line…")
    .option("--body <file>", "…and the body alone, byte for byte")
    .option("--secret <secret>", "The webhook's signing secret, several by commas [WEBHOOK_SECRET]", collect)
    .option("--secret-file <file>", "The secret from a file, which others cannot see in the list of processes")
    .addOption(
      new Option("--profile <profile>", "Only this one; every profile that the headers show otherwise").choices(
        SIGNATURE_PROFILE_NAMES,
      ),
    )
    .option("--tolerance <duration>", "Refuse a request that was signed longer ago, as receivers do: 5m", parseSeconds)
    .addHelpText(
      "after",
      `
Examples:
  WEBHOOK_SECRET=whsec_… posthorn verify captured.http
  posthorn verify --headers headers.txt --body body.json --secret-file s.txt

Ends with 0 when every signature fits, 1 when one does not.
`,
    )
    .action(runs(verify));
}

interface Verdict {
  readonly profile: SignatureProfileName;
  readonly ok: boolean;
  readonly reason: string | null;
  readonly message: string | null;
  readonly signedAt: string | null;
}

async function verify(io: Io, options: VerifyOptions, path: string | undefined): Promise<ExitCode> {
  const secret = await secretOf(options);
  const captured = await capturedOf(options, path);
  if (!captured.ok) throw usageFailure(captured.message, "A request is its headers, an empty line, and its body.");
  const { headers, body } = captured.request;
  const profiles =
    options.profile === undefined
      ? SIGNATURE_PROFILE_NAMES.filter((name) => headers[SIGNATURE_RECIPES[name].header] !== undefined)
      : [options.profile];
  if (profiles.length === 0) {
    throw usageFailure(
      "The headers hold no signature of a known profile.",
      `Looked for ${SIGNATURE_PROFILE_NAMES.map((name) => SIGNATURE_RECIPES[name].header).join(", ")}.`,
    );
  }
  const verdicts: Verdict[] = [];
  for (const profile of profiles) {
    const toleranceSeconds = options.tolerance ?? Number.POSITIVE_INFINITY;
    verdicts.push(verdictOf(profile, await verifySignature({ headers, body, secret, profile, toleranceSeconds })));
  }
  const event = await eventOf({ headers, body, secret }, verdicts);
  if (io.isJson) io.json({ verdicts, event });
  else show(io, verdicts, event);
  return verdicts.every((verdict) => verdict.ok) ? EXIT.ok : EXIT.failed;
}

function verdictOf(profile: SignatureProfileName, check: SignatureCheck): Verdict {
  if (!check.ok) return { profile, ok: false, reason: check.reason, message: check.message, signedAt: null };
  return { profile, ok: true, reason: null, message: null, signedAt: check.signedAt?.toISOString() ?? null };
}

function show(io: Io, verdicts: readonly Verdict[], event: { id: string; type: string } | null): void {
  for (const { profile, ok, reason, message } of verdicts) {
    if (ok) io.say(`${io.paint("green", "fits")}      ${profile}`);
    else {
      io.say(`${io.paint("red", "does not")}  ${profile}: ${reason}`);
      io.note(`          ${message}`);
    }
  }
  const signedAt = verdicts.find((verdict) => verdict.signedAt !== null)?.signedAt;
  if (signedAt !== undefined && signedAt !== null) {
    const ageSeconds = Math.round((Date.now() - Date.parse(signedAt)) / 1_000);
    io.say(`signed    ${signedAt} (${ageSeconds} s ago; receivers mostly refuse after 300 s)`);
  }
  if (event !== null) io.say(`event     ${event.type} ${event.id}`);
}

/** What the request says about its event, when a signature fits. */
async function eventOf(
  request: Pick<Parameters<typeof checkWebhook>[0], "headers" | "body" | "secret">,
  verdicts: readonly Verdict[],
): Promise<{ id: string; type: string } | null> {
  const profile: SignatureProfile | undefined = verdicts.find((verdict) => verdict.ok)?.profile;
  if (profile === undefined) return null;
  const check = await checkWebhook({ ...request, profile, toleranceSeconds: Number.POSITIVE_INFINITY });
  return check.ok ? { id: check.webhook.id, type: check.webhook.type } : null;
}

async function secretOf(options: VerifyOptions): Promise<readonly string[]> {
  if (options.secretFile !== undefined) return [(await readInput(options.secretFile)).toString("utf8").trim()];
  const secrets = options.secret ?? collect(process.env["WEBHOOK_SECRET"] ?? "");
  if (secrets.length === 0) throw usageFailure("With which secret? Give --secret-file, --secret or WEBHOOK_SECRET.");
  return secrets;
}

async function capturedOf(options: VerifyOptions, path: string | undefined): Promise<Captured> {
  if (path !== undefined) {
    if (options.headers !== undefined || options.body !== undefined) {
      throw usageFailure("Give the whole request, or --headers and --body; not both.");
    }
    return readCaptured(await readInput(path));
  }
  if (options.headers === undefined || options.body === undefined) {
    throw usageFailure("Which request? Give a file with all of it, or both --headers and --body.");
  }
  const headers = readHeaders((await readInput(options.headers)).toString("latin1").split(/\r?\n/));
  if (!headers.ok) return headers;
  return { ok: true, request: { headers: headers.headers, body: await readInput(options.body) } };
}
