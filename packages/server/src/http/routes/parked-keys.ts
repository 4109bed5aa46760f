// The routes about parked keys: see them, give up what holds one, release many.
import { idFromUuid, parseId, uuidFromBytes } from "@posthorn/contract";
import { z } from "zod";
import { scanEvent } from "../../capture/scan/scan-event.ts";
import { readPath } from "../../lib/json/read-path.ts";
import type { Corrections } from "../../replay/correct.ts";
import type { ParkedKeys } from "../../replay/parked.ts";
import { type Answer, type Failure, failure, fieldFailure, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import { type ParkedKeyList, parkedKeyView } from "../read/parked-keys.ts";
import { scopeFailure } from "../permission.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import {
  correctedDelivery,
  correctionToMake,
  keysToRelease,
  parkedKey,
  releasedKeys,
  skippedDelivery,
} from "../schemas/parked-key.ts";
import { hasScope } from "../scopes.ts";
import { actorOf } from "./webhooks.ts";

const listQuery = z.strictObject({
  ...PAGE_PARAMETERS,
  webhookId: z.string().max(200).optional(),
  orderingKey: z.string().max(200).optional(),
});

export interface ParkedKeysFace {
  readonly list: Pick<ParkedKeyList, "list">;
  readonly parkedKeys: Pick<ParkedKeys, "skip" | "count" | "release">;
  readonly corrections: Pick<Corrections, "correct">;
}

export function parkedKeyRoutes(face: ParkedKeysFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/parked-keys",
      allowsReadKey: true,
      scope: "read:events",
      summary:
        "List keys of ordered webhooks that wait for a person, with what holds each and how many wait behind it.",
      tag: "Deliveries",
      query: listQuery,
      answer: { status: 200, data: parkedKey, isList: true },
      handle: (call) => list(face, call),
    }),
    route({
      method: "POST",
      path: "/parked-keys/release",
      scope: "write:deliveries",
      summary: "Let parked keys go on, oldest first: what holds them is tried again or skipped.",
      tag: "Deliveries",
      body: keysToRelease,
      answer: { status: 200, data: releasedKeys },
      handle: (call) => release(face, call),
    }),
    route({
      method: "POST",
      path: "/deliveries/{id}/skip",
      scope: "write:deliveries",
      summary: "Give up a delivery that holds its key: it becomes a dead letter, and its key goes on.",
      tag: "Deliveries",
      answer: { status: 200, data: skippedDelivery },
      errors: ["NOT_PARKED"],
      handle: (call) => skip(face, call),
    }),
    route({
      method: "POST",
      path: "/deliveries/{id}/correct",
      scope: "write:deliveries",
      summary: "Send a corrected payload in the place of one that no receiver took; needs write:events too.",
      tag: "Deliveries",
      body: correctionToMake,
      answer: { status: 202, data: correctedDelivery },
      errors: ["NOT_CORRECTABLE"],
      handle: (call) => correct(face, call),
    }),
  ];
}

async function list(face: ParkedKeysFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const start = pageStart("parked_key", call.query);
  if (!start.ok) return start.failure;
  const webhookUuid = webhookUuidOf(call.query.webhookId);
  if (webhookUuid === undefined) return wrongWebhookId();
  const filter = { webhookUuid, orderingKey: call.query.orderingKey ?? null };
  const found = await face.list.list(call.principal, filter, start.beforeUuid, start.limit + 1);
  return pageOf("parked_key", found, start.limit, ({ row }) => row.id, parkedKeyView);
}

async function release(face: ParkedKeysFace, call: Call<undefined, z.output<typeof keysToRelease>>): Promise<Answer> {
  const { how, webhookId, orderingKey, limit, dryRun = false } = call.body;
  const webhookUuid = webhookUuidOf(webhookId);
  if (webhookUuid === undefined) return wrongWebhookId();
  const filter = { webhookUuid, orderingKey: orderingKey ?? null };
  const actor = actorOf(call);
  const { count, hasMore } = dryRun
    ? await face.parkedKeys.count(actor, filter)
    : await face.parkedKeys.release(actor, filter, how, limit);
  return success({ dryRun, count, hasMore });
}

async function skip(face: ParkedKeysFace, call: Call): Promise<Answer> {
  const id = call.params["id"] as string;
  const bytes = parseId("delivery", id);
  if (bytes === null) return noDelivery();
  const outcome = await face.parkedKeys.skip(actorOf(call), uuidFromBytes(bytes));
  switch (outcome.kind) {
    case "skipped":
      return success({ id, state: "dead_letter", deadReason: "skipped", deadAt: outcome.at });
    case "absent":
      return noDelivery();
    case "not_parked": {
      const { state } = outcome;
      const message =
        state === "pending"
          ? "This delivery is pending and holds no key: it is tried by itself. POST /v1/deliveries/{id}/cancel ends it."
          : `This delivery is ${state}, which is its end: it holds no key.`;
      return failure("NOT_PARKED", message, [{ field: "state", message: state, code: "NOT_PARKED" }]);
    }
    default:
      return outcome satisfies never;
  }
}

async function correct(
  face: ParkedKeysFace,
  call: Call<undefined, z.output<typeof correctionToMake>>,
): Promise<Answer> {
  const { principal } = call;
  // Receivers take it for what the sender said.
  if (!hasScope(principal.scopes, "write:events")) return scopeFailure("write:events", principal.scopes);
  const id = call.params["id"] as string;
  const bytes = parseId("delivery", id);
  if (bytes === null) return noDelivery();
  const payload = payloadIn(call.rawBody as Buffer);
  if ("kind" in payload) return payload;
  const note = call.body.note ?? null;
  const outcome = await face.corrections.correct(actorOf(call), uuidFromBytes(bytes), { ...payload, note });
  switch (outcome.kind) {
    case "corrected":
      return success({ id, correctionId: idFromUuid("correction", outcome.correctionUuid), state: outcome.state }, 202);
    case "absent":
      return noDelivery();
    case "not_correctable": {
      const { state, message } = outcome;
      return failure("NOT_CORRECTABLE", message, [{ field: "state", message: state, code: "NOT_CORRECTABLE" }]);
    }
    default:
      return outcome satisfies never;
  }
}

/** The bytes of the members, as they were written; refused by the rules for events. */
function payloadIn(body: Buffer): { readonly data: Buffer; readonly context: Buffer | null } | Failure {
  const member = (name: string): Buffer | null => {
    const range = readPath(body, 0, body.length, [name]);
    return range === null ? null : Buffer.from(body.subarray(range.start, range.end));
  };
  const data = member("data") as Buffer;
  const context = member("context");
  const parts = [Buffer.from('{"event":"a.b","data":'), data, Buffer.from("}")];
  if (context !== null) parts.splice(2, 0, Buffer.from(',"context":'), context);
  const scanned = scanEvent(Buffer.concat(parts));
  if (scanned.kind === "event") return { data, context };
  // Its members were looked at already: what is left is how deep they are.
  return failure(scanned.code === "UNKNOWN_MEMBER" ? "INVALID_JSON" : scanned.code, scanned.message);
}

/** Null where none is named; undefined where the text is no id of a webhook. */
function webhookUuidOf(webhookId: string | undefined): string | null | undefined {
  if (webhookId === undefined) return null;
  const bytes = parseId("webhook", webhookId);
  return bytes === null ? undefined : uuidFromBytes(bytes);
}

function wrongWebhookId(): Answer {
  return fieldFailure([{ field: "webhookId", message: "Expected an id webhook_….", code: "INVALID_VALUE" }]);
}

function noDelivery(): Answer {
  return failure("NOT_FOUND", "There is no such delivery. Check the id; deliveries are kept as long as their events.");
}
