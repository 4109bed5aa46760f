// The route that shows who changed what.
import { z } from "zod";
import type { AuditTrail } from "../../manage/audit.ts";
import { uuidFromId } from "@posthorn/contract";
import type { Answer } from "../answer.ts";
import { wordParameter } from "../fields.ts";
import { PAGE_PARAMETERS, pageOf, pageStart, TIME_PARAMETER } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { AUDITED_OBJECTS, auditEntry } from "../schemas/audit.ts";
import { actorOf } from "./webhooks.ts";

const query = z.strictObject({
  ...PAGE_PARAMETERS,
  objectType: z.enum(AUDITED_OBJECTS).optional(),
  objectId: wordParameter.optional(),
  actor: wordParameter.meta({ description: "`key_…`, `node_…` or `operator`." }).optional(),
  action: wordParameter.meta({ examples: ["api_key.revoked"] }).optional(),
  from: TIME_PARAMETER.optional(),
  to: TIME_PARAMETER.optional(),
});

export type AuditFace = Pick<AuditTrail, "list">;

export function auditRoutes(trail: AuditFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/audit",
      scope: "admin",
      // Entries tell of both modes.
      needsLiveKey: true,
      summary: "List changes, newest first: what was changed, when, and by which key.",
      tag: "Audit",
      query,
      answer: { status: 200, data: auditEntry, isList: true },
      handle: (call) => list(trail, call),
    }),
  ];
}

async function list(trail: AuditFace, call: Call<z.output<typeof query>>): Promise<Answer> {
  const start = pageStart("audit", call.query);
  if (!start.ok) return start.failure;
  const { objectType, objectId, actor, action, from, to } = call.query;
  const filter = {
    beforeUuid: start.beforeUuid,
    objectType: objectType ?? null,
    objectId: objectId ?? null,
    actor: actor ?? null,
    action: action ?? null,
    fromMs: from ?? null,
    toMs: to ?? null,
  };
  const found = await trail.list(actorOf(call), filter, start.limit + 1);
  return pageOf(
    "audit",
    found,
    start.limit,
    (entry) => uuidFromId("audit", entry.id),
    (entry) => entry,
  );
}
