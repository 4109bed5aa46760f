// The routes of who is told by digests: what they take, and how outcomes become answers. Deciding and storing is
// manage/digest.ts.
import { z } from "zod";
import type { DigestChanged, DigestSettings, DigestTested } from "../../manage/digest.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { emailField } from "../fields.ts";
import { type OrdinaryRoute, route } from "../route-entry.ts";
import { CHAT_FORM_DESCRIPTION, chatForm, digestRecord, digestTested } from "../schemas/digest.ts";
import { actorOf } from "./webhooks.ts";

const MAX_EMAILS = 20;

const change = z
  .strictObject({
    emails: z
      .array(emailField)
      .max(MAX_EMAILS)
      .nullable()
      .optional()
      .meta({ description: "Null: the tenant's `administratorEmail`; empty: nobody." }),
    chatUrl: z
      .string()
      .max(2_048)
      .nullable()
      .optional()
      .meta({ description: "An incoming webhook of Slack, Teams, Mattermost or the like; null: none." }),
    chatForm: chatForm.nullable().optional().meta({ description: CHAT_FORM_DESCRIPTION }),
  })
  .meta({
    id: "DigestChange",
    description: "Fields given are replaced, the rest stay.",
    examples: [{ emails: ["it@example.com"], chatUrl: "https://hooks.slack.com/services/T000/B000/XXXX" }],
  });

const setByPosthorn = "It is set by Posthorn. Leave it out.";
const hints = {
  readOnly: {
    emailsInForce: "It follows from `emails` and the tenant's `administratorEmail`.",
    mailServer: "The operator sets POSTHORN_SMTP_URL.",
    waitingEvents: setByPosthorn,
    email: setByPosthorn,
    chat: setByPosthorn,
  },
};

export type DigestFace = Pick<DigestSettings, "get" | "change" | "test">;

export function digestRoutes(digest: DigestFace): OrdinaryRoute[] {
  const common = { scope: "admin", tag: "Digest" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/digest",
      summary: "Show who is told by e-mail and chat what operational events say, and how that goes.",
      answer: { status: 200, data: digestRecord },
      handle: async (call) => success(await digest.get(actorOf(call))),
    }),
    route({
      ...common,
      method: "PATCH",
      path: "/digest",
      summary: "Choose who is told by e-mail and chat.",
      needsLiveKey: true,
      body: change,
      hints,
      answer: { status: 200, data: digestRecord },
      errors: ["TARGET_REFUSED"],
      handle: async (call) => answerOfChanged(await digest.change(actorOf(call), call.body)),
    }),
    route({
      ...common,
      method: "POST",
      path: "/digest/test",
      summary: "Send everybody who would be told a digest that says that it is a test.",
      needsLiveKey: true,
      answer: { status: 200, data: digestTested },
      errors: ["RATE_LIMITED"],
      handle: async (call) => answerOfTested(await digest.test(actorOf(call))),
    }),
  ];
}

function answerOfChanged(outcome: DigestChanged): Answer {
  switch (outcome.kind) {
    case "changed":
      return success(outcome.digest);
    case "refused": {
      const { code: reason, message } = outcome;
      return fieldFailure([{ field: "chatUrl", message, code: "TARGET_REFUSED", reason }]);
    }
    default:
      return outcome satisfies never;
  }
}

function answerOfTested(outcome: DigestTested): Answer {
  switch (outcome.kind) {
    case "tested":
      return success({ email: toldView(outcome.email), chat: toldView(outcome.chat) });
    case "too_soon": {
      const message = "A test went out a moment ago. Wait for the seconds in Retry-After.";
      return { ...failure("RATE_LIMITED", message), headers: { "retry-after": String(outcome.waitS) } };
    }
    default:
      return outcome satisfies never;
  }
}

function toldView(told: { readonly kind: "told" | "failed"; readonly problem: string | null } | null) {
  return told === null ? null : { told: told.kind === "told", problem: told.problem };
}
