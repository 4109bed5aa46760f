// Finds a webhook by its id or by its name, as people write it on the command line.
import type { Posthorn, Webhook } from "@posthorn/client";
import { CommandFailure, usageFailure } from "./exit.ts";

const ID = /^webhook_[0-9A-HJKMNP-TV-Z]{26}$/i;

/** @throws CommandFailure when there is none of that name, or more than one */
export async function webhookIdOf(posthorn: Posthorn, text: string): Promise<string> {
  return ID.test(text) ? text : (await webhookNamed(posthorn, text)).id;
}

export async function webhookOf(posthorn: Posthorn, text: string): Promise<Webhook> {
  return ID.test(text) ? posthorn.webhooks.get(text) : webhookNamed(posthorn, text);
}

async function webhookNamed(posthorn: Posthorn, name: string): Promise<Webhook> {
  if (name === "") throw usageFailure("Expected a webhook's id or name.");
  const found = await posthorn.webhooks.list({ name }).take(2);
  if (found.length > 1) {
    throw new CommandFailure("AMBIGUOUS_NAME", `More than one webhook is named ${JSON.stringify(name)}.`, {
      hint: "Give its id: posthorn webhooks shows them.",
    });
  }
  if (found[0] !== undefined) return found[0];
  throw new CommandFailure("NOT_FOUND", `There is no webhook ${JSON.stringify(name)}.`, {
    hint: "posthorn webhooks shows those that there are; names are compared letter by letter.",
  });
}
