// posthorn digest: who is told by e-mail and chat what operational events say. The chat's URL is a secret: it may come on
// standard input, and is never printed.
import { text } from "node:stream/consumers";
import type { Digest, DigestChange, DigestTest } from "@posthorn/client";
import { type Command, Option } from "commander";
import { clientOf, type ServerOptions, withServer } from "../client-of.ts";
import { usageFailure } from "../lib/exit.ts";
import type { Io } from "../lib/io.ts";
import { runs } from "../lib/run.ts";
import { clean } from "../lib/text.ts";
import { collect, shownTime } from "../lib/values.ts";

interface SetOptions extends ServerOptions {
  /** False with --no-email. */
  readonly email?: readonly string[] | false;
  readonly emailAdministrator?: boolean;
  /** False with --no-chat. */
  readonly chat?: string | false;
  readonly chatForm?: "text" | "card" | "auto";
}

export function registerDigest(program: Command): void {
  const digest = program
    .command("digest")
    .addHelpText("after", "\nExample:\n  posthorn digest set --email it@example.com,erp@example.com\n");

  withServer(digest.command("show", { isDefault: true }))
    .description("Show who is told, and how that goes.")
    .action(runs(async (io, options: ServerOptions) => show(io, await clientOf(options).digest.get())));

  withServer(digest.command("set"))
    .description("Choose who is told; what is not given stays.")
    .option("--email <addresses>", "Who gets a mail, several by commas", collect)
    .option("--no-email", "Nobody gets a mail")
    .option("--email-administrator", "The tenant's administrator gets it, as when nothing was chosen")
    .option(
      "--chat <url>",
      "An incoming webhook of Slack, Teams, Mattermost or the like; - reads it from standard input",
    )
    .option("--no-chat", "No chat is told")
    .addOption(
      new Option("--chat-form <form>", "What the chat takes; auto: by the URL's host").choices([
        "text",
        "card",
        "auto",
      ]),
    )
    .addHelpText(
      "after",
      `
Others see options in the list of processes: give the chat's URL by standard
input where that matters.

Examples:
  posthorn digest set --email it@example.com,erp@example.com
  posthorn digest set --chat - < chat-url.txt
`,
    )
    .action(
      runs(async (io, options: SetOptions) => show(io, await clientOf(options).digest.update(await changeOf(options)))),
    );

  withServer(digest.command("test"))
    .description("Tell everybody now, with a digest that says that it is a test.")
    .addHelpText(
      "after",
      "\nEnds with 1 when one of the ways failed, or nobody is to be told.\n\nExample:\n  posthorn digest test\n",
    )
    .action(
      runs(async (io, options: ServerOptions) => {
        const result = await clientOf(options).digest.test();
        if (io.isJson) io.json(result);
        else showTest(io, result);
        const ways = [result.email, result.chat].filter((way) => way !== null);
        return ways.length > 0 && ways.every((way) => way.told) ? 0 : 1;
      }),
    );
}

async function changeOf({ email, emailAdministrator, chat, chatForm }: SetOptions): Promise<DigestChange> {
  if (emailAdministrator === true && email !== undefined) {
    throw usageFailure("Give --email, --no-email or --email-administrator; one of them.");
  }
  const change: DigestChange = {
    ...(emailAdministrator === true ? { emails: null } : {}),
    ...(email === undefined ? {} : { emails: email === false ? [] : email }),
    ...(chat === undefined
      ? {}
      : { chatUrl: chat === false ? null : chat === "-" ? (await text(process.stdin)).trim() : chat }),
    ...(chatForm === undefined ? {} : { chatForm: chatForm === "auto" ? null : chatForm }),
  };
  if (Object.keys(change).length === 0) throw usageFailure("What shall be set? Give --email, --chat or --chat-form.");
  return change;
}

function show(io: Io, digest: Digest): void {
  if (io.isJson) return io.json(digest);
  const { emails, emailsInForce, mailServer, chatUrl, chatForm, waitingEvents } = digest;
  const chosen = emails ?? emailsInForce;
  const whose = emails === null && chosen.length > 0 ? " (the administrator)" : "";
  const missing = mailServer ? "" : "; this installation has no mail server (POSTHORN_SMTP_URL)";
  io.say(`E-mail:  ${chosen.length === 0 ? "nobody" : clean(chosen.join(", "))}${whose}${missing}`);
  sayState(io, digest.email);
  io.say(`Chat:    ${chatUrl === null ? "none" : clean(chatUrl)}${chatForm === null ? "" : ` as ${chatForm}`}`);
  sayState(io, digest.chat);
  io.say(`Waiting: ${waitingEvents} operational ${waitingEvents === 1 ? "event" : "events"}`);
}

function sayState(io: Io, { lastSentAt, failingSince, nextAttemptAt, problem }: Digest["email"]): void {
  if (lastSentAt !== null) io.say(`         last told ${shownTime(lastSentAt)}`);
  if (failingSince !== null) {
    const next = nextAttemptAt === null ? "" : `, tried again ${shownTime(nextAttemptAt)}`;
    io.say(io.paint("red", `         fails since ${shownTime(failingSince)}${next}`));
  }
  if (problem !== null) io.say(io.paint(failingSince === null ? "yellow" : "red", `         ${clean(problem)}`));
}

function showTest(io: Io, { email, chat }: DigestTest): void {
  for (const [name, way] of [
    ["E-mail", email],
    ["Chat", chat],
  ] as const) {
    if (way === null) io.say(`${name}: nobody is to be told this way`);
    else
      io.say(
        io.paint(
          way.told ? "green" : "red",
          `${name}: ${way.told ? "told" : "failed"}${way.problem === null ? "" : `. ${clean(way.problem)}`}`,
        ),
      );
  }
}
