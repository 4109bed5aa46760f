// posthorn diagnose: the way to a webhook's receiver, one line for each step, and the one thing to do.
import type { Diagnosis } from "@posthorn/client";
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import type { Colour, Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { clean, wrap } from "../lib/text.ts";
import { webhookOf } from "../lib/webhook-of.ts";

interface DiagnoseOptions extends ServerOptions {
  readonly event?: string;
  /** False with --no-send. */
  readonly send: boolean;
}

const MARKS: Readonly<Record<Diagnosis["steps"][number]["status"], readonly [mark: string, colour: Colour]>> = {
  passed: ["✓", "green"],
  warning: ["!", "yellow"],
  failed: ["✗", "red"],
  skipped: ["-", "dim"],
};
const VERDICTS: Readonly<Record<Diagnosis["verdict"]["status"], Colour>> = {
  ok: "green",
  warning: "yellow",
  failed: "red",
};

export function registerDiagnose(program: Command): void {
  withServer(program.command("diagnose"))
    .argument("<webhook>", "its id or name")
    .option("--event <type>", "Whose example the test request carries; the webhook's first one otherwise")
    .option("--no-send", "Look only: send no test request")
    .addHelpText(
      "after",
      `
Ends with 0 when everything works (warnings included), with 1 when a delivery
would fail.

Examples:
  posthorn diagnose "CRM Customer Synchronization"
  posthorn diagnose webhook_01KATEK0G3F3Q8T9W7M1N5V2XB --no-send
`,
    )
    .action(
      runs(async (io, { event, send, ...options }: DiagnoseOptions, given: string) => {
        const posthorn = clientOf(options);
        const webhook = await webhookOf(posthorn, given);
        const diagnosis = await posthorn.webhooks.diagnose(webhook.id, {
          ...(send ? {} : { send }),
          ...(event === undefined ? {} : { event }),
        });
        if (io.isJson) io.json(diagnosis);
        else show(io, webhook.name ?? webhook.id, webhook.url, diagnosis);
        return diagnosis.verdict.status === "failed" ? 1 : 0;
      }),
    );
}

function show(io: Io, name: string, url: string, { verdict, steps, certificates }: Diagnosis): void {
  io.say(`${io.paint("bold", clean(name))}  ${clean(url)}`);
  io.say();
  const width = Math.max(...steps.map(({ step }) => step.length));
  for (const { step, status, message, durationMs } of steps) {
    const [mark, colour] = MARKS[status];
    const took = durationMs === null ? "" : io.paint("dim", `  ${durationMs} ms`);
    const room = Math.max(30, io.columns - width - 4);
    const [first = "", ...rest] = wrap(clean(message), room);
    io.say(`${io.paint(colour, mark)} ${step.padEnd(width)}  ${first}${rest.length === 0 ? took : ""}`);
    for (const [at, line] of rest.entries()) {
      io.say(`${" ".repeat(width + 4)}${line}${at === rest.length - 1 ? took : ""}`);
    }
  }
  for (const [at, { subject, issuer, daysLeft }] of certificates.entries()) {
    const days = `${daysLeft} ${Math.abs(daysLeft) === 1 ? "day" : "days"} left`;
    io.say(
      io.paint("dim", `  ${at === 0 ? "certificate" : "     up to"}  ${clean(subject)} (${clean(issuer)}), ${days}`),
    );
  }
  io.say();
  io.say(io.paint(VERDICTS[verdict.status], clean(verdict.message)));
  if (verdict.nextStep !== null) {
    for (const line of wrap(`Next: ${clean(verdict.nextStep)}`, io.columns)) io.say(line);
  }
}
