// The routes of snapshots: begin one, give its records, say that there are no more, look at it, cancel it.
import { idFromUuid, parseId, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import { z } from "zod";
import { scanEvent } from "../../capture/scan/scan-event.ts";
import type { Catalogue } from "../../catalogue/catalogue.ts";
import { endOfValue, readPath, skipBlank } from "../../lib/json/read-path.ts";
import type { SnapshotOutcome, SnapshotRecord, Snapshots } from "../../replay/snapshots.ts";
import type { SnapshotRow } from "../../replay/snapshots.sql.ts";
import { asTenant } from "../../storage/pools.ts";
import { type Answer, type Failure, failure, fieldFailure, success } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import { selectEventTypes } from "../read/event-types.sql.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { snapshotRecords, snapshotToStart, snapshotView } from "../schemas/snapshot.ts";
import { actorOf, noWebhook, withWebhook } from "./webhooks.ts";

export interface SnapshotsFace {
  readonly snapshots: Pick<Snapshots, "start" | "append" | "complete" | "cancel" | "get" | "list">;
  /** API role, under row-level security. */
  readonly api: pg.Pool;
  readonly catalogue: Pick<Catalogue, "get" | "nearest">;
}

const listQuery = z.strictObject({ ...PAGE_PARAMETERS, webhookId: z.string().max(200).optional() });

export function snapshotRoutes(face: SnapshotsFace): OrdinaryRoute[] {
  const acting = {
    method: "POST",
    scope: "write:events",
    tag: "Deliveries",
    answer: { status: 200, data: snapshotView },
    errors: ["CONFLICT"],
  } as const;
  return [
    route({
      ...acting,
      path: "/webhooks/{id}/snapshots",
      summary: "Begin the first load of a webhook's system, or go on with the one of the same token.",
      body: snapshotToStart,
      errors: ["CONFLICT", "UNKNOWN_EVENT_TYPE"],
      handle: (call) => withWebhook(call, (uuid) => start(face, call, uuid)),
    }),
    route({
      method: "GET",
      path: "/snapshots",
      scope: "read:events",
      summary: "List snapshots, newest first.",
      tag: "Deliveries",
      query: listQuery,
      answer: { status: 200, data: snapshotView, isList: true },
      handle: (call) => list(face, call),
    }),
    route({
      method: "GET",
      path: "/snapshots/{id}",
      scope: "read:events",
      summary: "Read one snapshot and how far it has come.",
      tag: "Deliveries",
      answer: { status: 200, data: snapshotView },
      handle: (call) =>
        withSnapshot(call, async (uuid) => {
          const snapshot = await face.snapshots.get(call.principal, uuid);
          return snapshot === null ? noSnapshot() : success(viewOf(snapshot));
        }),
    }),
    route({
      ...acting,
      path: "/snapshots/{id}/records",
      summary: "Give a snapshot its next records; after a break go on at `received`.",
      body: snapshotRecords,
      handle: (call) => withSnapshot(call, (uuid) => append(face, call, uuid)),
    }),
    route({
      ...acting,
      path: "/snapshots/{id}/complete",
      summary: "Say that no more records come.",
      handle: (call) =>
        withSnapshot(call, async (uuid) => answerOf(await face.snapshots.complete(actorOf(call), uuid))),
    }),
    route({
      ...acting,
      path: "/snapshots/{id}/cancel",
      scope: "write:deliveries",
      summary: "Cancel a snapshot. Deliveries that were made stay: POST /v1/webhooks/{id}/cancel-pending ends those.",
      handle: (call) => withSnapshot(call, async (uuid) => answerOf(await face.snapshots.cancel(actorOf(call), uuid))),
    }),
  ];
}

async function start(
  face: SnapshotsFace,
  call: Call<undefined, z.output<typeof snapshotToStart>>,
  webhookUuid: string,
): Promise<Answer> {
  const { principal, body } = call;
  const { token, event: eventType, recordsPerSecond } = body;
  const { tenantUuid, retentionClass } = principal;
  if (principal.unknownEventTypes !== "open" && face.catalogue.get(eventType) === undefined) {
    const types = await asTenant(face.api, tenantUuid, (db) => selectEventTypes(db, tenantUuid));
    if (!types.some((type) => type.name === eventType)) {
      const nearest = face.catalogue.nearest(eventType, 3);
      const message = `There is no event type ${JSON.stringify(eventType)}.`;
      return fieldFailure([{ field: "event", message, code: "UNKNOWN_EVENT_TYPE", nearest }]);
    }
  }
  const what = { webhookUuid, token, eventType, recordsPerSecond, retentionClass };
  const outcome = await face.snapshots.start(actorOf(call), what);
  return outcome.kind === "absent" ? noWebhook() : answerOf(outcome);
}

async function append(
  face: SnapshotsFace,
  call: Call<undefined, z.output<typeof snapshotRecords>>,
  uuid: string,
): Promise<Answer> {
  const records = recordsIn(call.rawBody as Buffer);
  if (!Array.isArray(records)) return records;
  return answerOf(await face.snapshots.append(actorOf(call), uuid, call.body.offset, records));
}

/** The bytes of each record, as they were written; one that no event may hold is named by its place. */
function recordsIn(body: Buffer): SnapshotRecord[] | Failure {
  const span = readPath(body, 0, body.length, ["records"]);
  const records: SnapshotRecord[] = [];
  // The body is JSON of the right shape: between the brackets stand objects and commas.
  for (let at = skipBlank(body, (span?.start ?? 0) + 1); at < (span?.end ?? 0) - 1; ) {
    const end = endOfValue(body, at);
    const bytes = Buffer.from(body.subarray(at, end));
    const scanned = scanEvent(Buffer.concat([BEFORE_RECORD, bytes, AFTER_RECORD]));
    if (scanned.kind !== "event") {
      const message = `It cannot be part of an event: ${scanned.message}`;
      return fieldFailure([{ field: `records[${records.length}]`, message, code: "INVALID_VALUE" }]);
    }
    records.push({ bytes, hasLongNumber: scanned.hasLongNumber });
    at = skipBlank(body, skipBlank(body, end) + 1);
  }
  return records;
}

const BEFORE_RECORD = Buffer.from('{"event":"a.b","data":{"object":');
const AFTER_RECORD = Buffer.from("}}");

async function list(face: SnapshotsFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const page = pageStart("snapshot", call.query);
  if (!page.ok) return page.failure;
  const webhook = call.query.webhookId === undefined ? undefined : parseId("webhook", call.query.webhookId);
  if (webhook === null) {
    return fieldFailure([{ field: "webhookId", message: "Expected an id webhook_….", code: "INVALID_VALUE" }]);
  }
  const webhookUuid = webhook === undefined ? null : uuidFromBytes(webhook);
  const rows = await face.snapshots.list(call.principal, webhookUuid, page.beforeUuid, page.limit + 1);
  return pageOf("snapshot", rows, page.limit, (row) => row.id, viewOf);
}

function answerOf(outcome: SnapshotOutcome): Answer {
  switch (outcome.kind) {
    case "snapshot":
      return success(viewOf(outcome.snapshot));
    case "absent":
      return noSnapshot();
    case "not_possible":
      return failure("CONFLICT", outcome.message);
    default:
      return outcome satisfies never;
  }
}

function viewOf(row: SnapshotRow): Record<string, unknown> {
  return {
    id: idFromUuid("snapshot", row.id),
    webhookId: idFromUuid("webhook", row.webhook_id),
    token: row.token,
    event: row.event_type,
    state: row.state,
    isComplete: row.is_complete,
    received: row.received_count,
    delivering: row.made_count,
    recordsPerSecond: row.records_per_second,
    problem: row.problem,
    createdBy: row.created_by,
    createdAt: row.created_at.toISOString(),
    finishedAt: row.finished_at?.toISOString() ?? null,
  };
}

async function withSnapshot(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("snapshot", call.params["id"] as string);
  return bytes === null ? noSnapshot() : then(uuidFromBytes(bytes));
}

function noSnapshot(): Answer {
  return failure("NOT_FOUND", "There is no such snapshot. Check the id; sandbox and live do not see each other.");
}
