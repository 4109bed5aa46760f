// posthorn secret: rotates a webhook's signing secret. A new secret is printed once, on standard output only.
import type { Command } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { readInput } from "../lib/json-input.ts";
import { runs } from "../lib/run.ts";
import { parseSeconds, shownTime } from "../lib/values.ts";
import { webhookIdOf } from "../lib/webhook-of.ts";

interface RotateOptions extends ServerOptions {
  readonly secretFile?: string;
  readonly overlap?: number;
}

export function registerSecret(program: Command): void {
  const secret = program
    .command("secret")
    .addHelpText("after", '\nExample:\n  posthorn secret rotate "CRM Customer Synchronization"\n');

  withServer(secret.command("rotate"))
    .description("Bring a new secret beside the old one, which stays in force for the overlap.")
    .argument("<webhook>", "its id or name")
    .option("--secret-file <file>", "Take the new secret from a file, - for standard input; one is made otherwise")
    .option("--overlap <duration>", "How long the old one stays in force: 24h unless given, up to 7d", parseSeconds)
    .addHelpText(
      "after",
      `
The order that loses nothing:
  1. posthorn secret rotate WEBHOOK
     and give the receiver the new secret beside the old one
  2. posthorn webhooks test WEBHOOK --event invoice.paid --next-secret
  3. posthorn secret switch WEBHOOK
     for profiles that carry one signature
  4. take the old secret from the receiver when the overlap is over

Example:
  posthorn secret rotate "CRM Customer Synchronization" --overlap 2h
`,
    )
    .action(
      runs(async (io, options: RotateOptions, given: string) => {
        const posthorn = clientOf(options);
        const id = await webhookIdOf(posthorn, given);
        const text =
          options.secretFile === undefined ? undefined : (await readInput(options.secretFile)).toString("utf8").trim();
        const webhook = await posthorn.webhooks.rotateSecret(id, {
          ...(text === undefined ? {} : { secret: text }),
          ...(options.overlap === undefined ? {} : { overlapSeconds: options.overlap }),
        });
        if (io.isJson) return io.json(webhook);
        io.fields([
          ["Secret", webhook.secret],
          ["Standard form", webhook.standardWebhooksSecret === webhook.secret ? null : webhook.standardWebhooksSecret],
          ["Old one until", shownTime(webhook.secretRotation?.overlapEndsAt) || "replaced at once"],
        ]);
        io.note("The secret is shown only this once.");
      }),
    );

  withServer(secret.command("switch"))
    .description("Sign with the new secret where a request has room for one signature only.")
    .argument("<webhook>", "its id or name")
    .addHelpText("after", '\nExample:\n  posthorn secret switch "CRM Customer Synchronization"\n')
    .action(
      runs(async (io, options: ServerOptions, given: string) => {
        const posthorn = clientOf(options);
        const webhook = await posthorn.webhooks.switchSecret(await webhookIdOf(posthorn, given));
        if (io.isJson) return io.json(webhook);
        io.say(`${webhook.name ?? webhook.id} signs with the new secret.`);
      }),
    );
}
