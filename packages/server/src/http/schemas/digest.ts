// Who is told by digests, as the API shows it.
import { z } from "zod";
import { time } from "./common.ts";

const channel = z.object({
  lastSentAt: time.nullable(),
  failingSince: time.nullable(),
  nextAttemptAt: time.nullable().meta({ description: "Of one that fails." }),
  problem: z.string().nullable().meta({ description: "What was wrong at the latest try, in words." }),
});

const CHAT_FORM = "`text` for Slack, Mattermost and others, `card` for Teams; null: by the host of the URL.";
export const chatForm = z.enum(["text", "card"]);

export const digestRecord = z
  .object({
    emails: z
      .array(z.string())
      .nullable()
      .meta({ description: "Who was chosen; null: the tenant's `administratorEmail`; empty: nobody." }),
    emailsInForce: z.array(z.string()).meta({ description: "Who gets a mail now." }),
    mailServer: z.boolean().meta({ description: "Whether this installation has a mail server: POSTHORN_SMTP_URL." }),
    chatUrl: z
      .string()
      .nullable()
      .meta({
        description: "The chat's incoming webhook; its path is a secret and never shown.",
        examples: ["https://hooks.slack.com/********"],
      }),
    chatForm: chatForm.nullable().meta({ description: CHAT_FORM }),
    waitingEvents: z.int().meta({ description: "Operational events that somebody is to be told of yet." }),
    email: channel,
    chat: channel,
  })
  .meta({ id: "Digest", description: "Who is told by e-mail and chat what operational events say, and how it goes." });

const told = z
  .object({ told: z.boolean(), problem: z.string().nullable() })
  .nullable()
  .meta({ description: "Null: nobody is to be told this way." });

export const digestTested = z
  .object({ email: told, chat: told })
  .meta({ id: "DigestTest", description: "What came of a test, each way." });

export const CHAT_FORM_DESCRIPTION = CHAT_FORM;
