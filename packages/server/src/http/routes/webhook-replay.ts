// The route that replays a webhook's past: the events of a time range that it was owed, delivered once more.
import { idFromUuid } from "@posthorn/contract";
import { z } from "zod";
import type { WebhookReplays } from "../../replay/replay-webhook.ts";
import { type Answer, failure, success } from "../answer.ts";
import { decodeUuidCursor, encodeCursor } from "../cursor.ts";
import { cursorFailure, TIME_PARAMETER } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { replayedWebhook } from "../schemas/log.ts";
import { TYPE_PARAMETER, typeFilter } from "../type-parameter.ts";
import { actorOf, noWebhook, withWebhook } from "./webhooks.ts";

/** A pending one is on its way: replaying it would deliver it twice. */
const STATES = ["delivered", "dead_letter", "cancelled"] as const;
const DEFAULT_EVENTS = 1_000;
const MAX_EVENTS = 10_000;
const MAX_TYPES = 200;

const replayBody = z
  .strictObject({
    from: TIME_PARAMETER,
    to: TIME_PARAMETER.optional(),
    types: z
      .array(TYPE_PARAMETER)
      .min(1)
      .max(MAX_TYPES)
      .optional()
      .meta({ description: "Event types and patterns; all when left out." }),
    states: z
      .array(z.enum(STATES))
      .min(1)
      .optional()
      .meta({ description: "Only events whose delivery ended so; however it ended when left out." }),
    limit: z
      .int()
      .min(1)
      .max(MAX_EVENTS)
      .optional()
      .meta({ description: `At most so many events; ${DEFAULT_EVENTS} when left out.` }),
    cursor: z.string().max(200).optional().meta({ description: "`nextCursor` of the call before." }),
    dryRun: z.boolean().optional().meta({ description: "Counts and changes nothing." }),
  })
  .meta({
    id: "WebhookReplay",
    description: "Events received in `[from, to)`, oldest first.",
    examples: [{ from: "2026-11-23T00:00:00Z", to: "2026-11-24T00:00:00Z", types: ["invoice.*"], dryRun: true }],
  });

export type WebhookReplaysFace = Pick<WebhookReplays, "replay">;

export function webhookReplayRoutes(webhookReplays: WebhookReplaysFace): OrdinaryRoute[] {
  return [
    route({
      method: "POST",
      path: "/webhooks/{id}/replay",
      scope: "write:deliveries",
      summary: "Deliver a webhook's events of a time range once more, whatever its filters say now.",
      tag: "Webhooks",
      body: replayBody,
      answer: { status: 200, data: replayedWebhook },
      errors: ["CONFLICT"],
      handle: (call) => withWebhook(call, (uuid) => replay(webhookReplays, call, uuid)),
    }),
  ];
}

async function replay(
  webhookReplays: WebhookReplaysFace,
  call: Call<undefined, z.output<typeof replayBody>>,
  uuid: string,
): Promise<Answer> {
  const { from, to, types, states, limit, cursor, dryRun = false } = call.body;
  const afterUuid = cursor === undefined ? null : decodeUuidCursor("replay", cursor);
  if (cursor !== undefined && afterUuid === null) return cursorFailure();
  const outcome = await webhookReplays.replay(actorOf(call), uuid, {
    fromMs: from,
    toMs: to ?? null,
    types: typesOf(types),
    states: states ?? STATES,
    afterUuid,
    limit: limit ?? DEFAULT_EVENTS,
    dryRun,
  });
  switch (outcome.kind) {
    case "replayed": {
      const { count, hasMore, lastUuid } = outcome;
      const nextCursor = lastUuid === null || dryRun ? null : encodeCursor("replay", lastUuid);
      return success({ webhookId: idFromUuid("webhook", uuid), dryRun, count, hasMore, nextCursor });
    }
    case "no_webhook":
      return noWebhook();
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

function typesOf(patterns: readonly string[] | undefined): { exact: string[]; prefixes: string[] } | null {
  const filters = (patterns ?? ["*"]).map(typeFilter);
  if (filters.includes(null)) return null;
  const given = filters.filter((each) => each !== null);
  return {
    exact: given.filter((each) => !each.isPrefix).map((each) => each.text),
    prefixes: given.filter((each) => each.isPrefix).map((each) => each.text),
  };
}
