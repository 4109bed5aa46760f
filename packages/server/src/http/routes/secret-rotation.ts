// The routes by which a signing secret is rotated: bring a new one, switch to it. What they do is manage's.
import { parseId, uuidFromBytes } from "@posthorn/contract";
import { z } from "zod";
import {
  DEFAULT_OVERLAP_SECONDS,
  MAX_OVERLAP_SECONDS,
  type Rotated,
  type SecretRotations,
  type Switched,
} from "../../manage/secret-rotation.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { changedWebhook, rotatedWebhook } from "../schemas/webhook.ts";
import { noWebhook } from "./webhook-actions.ts";
import { actorOf } from "./webhooks.ts";

const rotation = z
  .strictObject({
    secret: z.string().nullable().optional().meta({ description: "The new secret; one is made when you give none." }),
    overlapSeconds: z
      .int()
      .min(0)
      .max(MAX_OVERLAP_SECONDS)
      .nullable()
      .optional()
      .meta({
        description: `How long the old secret stays in force beside the new one, ${DEFAULT_OVERLAP_SECONDS} when absent; 0 replaces it at once.`,
      }),
  })
  .meta({ id: "SecretRotationToBegin", examples: [{ overlapSeconds: 3_600 }] });

export type SecretRotationsFace = Pick<SecretRotations, "rotate" | "switchOver">;

export function secretRotationRoutes(rotations: SecretRotationsFace): OrdinaryRoute[] {
  const changing = {
    method: "POST",
    scope: "write:webhooks",
    tag: "Webhooks",
    requestHeaders: ["If-Match"],
  } as const;
  return [
    route({
      ...changing,
      path: "/webhooks/{id}/secret/rotate",
      summary: "Bring a new signing secret beside the old one, which stays in force for a while.",
      body: rotation,
      bodyOptional: true,
      answer: { status: 200, data: rotatedWebhook, headers: ["ETag"] },
      errors: ["ROTATION_UNDER_WAY", "PRECONDITION_FAILED"],
      handle: (call) =>
        withWebhook(call, async (uuid) => {
          const { secret = null, overlapSeconds } = call.body;
          const wish = { secret, overlapSeconds: overlapSeconds ?? DEFAULT_OVERLAP_SECONDS };
          return answerOf(await rotations.rotate(actorOf(call), uuid, wish, call.ifMatch));
        }),
    }),
    route({
      ...changing,
      path: "/webhooks/{id}/secret/switch",
      summary: "Sign with the new secret where a request has room for one signature only.",
      answer: { status: 200, data: changedWebhook, headers: ["ETag"] },
      errors: ["NO_ROTATION_UNDER_WAY", "PRECONDITION_FAILED"],
      handle: (call) =>
        withWebhook(call, async (uuid) => answerOf(await rotations.switchOver(actorOf(call), uuid, call.ifMatch))),
    }),
  ];
}

async function withWebhook(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("webhook", call.params["id"] as string);
  return bytes === null ? noWebhook() : then(uuidFromBytes(bytes));
}

function answerOf(outcome: Rotated | Switched): Answer {
  switch (outcome.kind) {
    case "written":
      return { ...success({ ...outcome.webhook, ...outcome.secret }), headers: { etag: outcome.etag } };
    case "invalid":
      return fieldFailure(outcome.details);
    case "absent":
      return noWebhook();
    case "stale":
      return { ...failure("PRECONDITION_FAILED"), headers: { etag: outcome.etag } };
    case "under_way": {
      const until = new Date(outcome.overlapEndsAtMs).toISOString();
      const state = outcome.isSwitched ? "is switched already" : "is not switched yet";
      const message = `A rotation of this secret ${state} and its overlap lasts until ${until}. Wait for that, or replace the secret at once: overlapSeconds 0, or PUT \`secret\` (with the text of the old one to give the new one up).`;
      return failure("ROTATION_UNDER_WAY", message);
    }
    case "none_under_way":
      return failure("NO_ROTATION_UNDER_WAY");
    default:
      return outcome satisfies never;
  }
}
