// One request that a local receiver took: what it says about itself, and how it is shown. Pure.
import { isWebhookBatch, isWebhookDigest } from "@posthorn/client";
import {
  ATTEMPT_HEADER,
  BATCH_EVENT,
  DELIVERY_HEADER,
  DIGEST_EVENT,
  EVENT_HEADER,
  WEBHOOK_ID_HEADER,
} from "@posthorn/contract";
import type { Colour, Io } from "../lib/io.ts";
import { below, type Cell, clockTime, sizeText, streamLines } from "../live/lines.ts";
import type { Judgement } from "./judge.ts";
import type { Taken } from "./server.ts";

/** What scripts get, one on a line. */
export interface Received {
  readonly kind: "request";
  readonly receivedAt: string;
  readonly event: string | null;
  /** By this a receiver knows an event again. */
  readonly eventId: string | null;
  readonly deliveryId: string | null;
  readonly attempt: number | null;
  /** Seen before, by its id. */
  readonly isRepeated: boolean;
  /** Made by hand, by the webhook's test. */
  readonly isTest: boolean;
  readonly judgement: Judgement;
  /** How many events of which types a batch or a digest stands for; null for one event. */
  readonly contents: Readonly<Record<string, number>> | null;
  readonly byteCount: number;
  readonly status: number;
  readonly path: string;
}

export function describe(
  taken: Taken,
  found: Pick<Received, "judgement" | "status" | "isRepeated"> & { readonly atMs: number },
): Received {
  const { headers, body, path } = taken;
  const inBody = envelopeOf(body);
  const attempt = headers[ATTEMPT_HEADER] ?? "";
  return {
    kind: "request",
    receivedAt: new Date(found.atMs).toISOString(),
    event: headers[EVENT_HEADER] ?? inBody.event,
    eventId: headers[WEBHOOK_ID_HEADER] ?? inBody.id,
    deliveryId: headers[DELIVERY_HEADER] ?? null,
    attempt: /^[0-9]{1,9}$/.test(attempt) ? Number(attempt) : null,
    isRepeated: found.isRepeated,
    isTest: headers["x-bigledger-test"] === "true",
    judgement: found.judgement,
    contents: inBody.contents,
    byteCount: body.length,
    status: found.status,
    path,
  };
}

interface InBody {
  readonly id: string | null;
  readonly event: string | null;
  readonly contents: Received["contents"];
}

/** Of the published envelope, a batch or a digest; nulls where a template made something else. */
function envelopeOf(body: Buffer): InBody {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    return { id: null, event: null, contents: null };
  }
  if (isWebhookBatch(parsed)) {
    const counts = new Map<string, number>();
    // What a template made of an event need not have its type.
    for (const { event } of parsed.events as readonly { event?: unknown }[]) {
      const type = typeof event === "string" ? event : "event";
      counts.set(type, (counts.get(type) ?? 0) + 1);
    }
    return { id: parsed.batchId, event: BATCH_EVENT, contents: Object.fromEntries(counts) };
  }
  if (isWebhookDigest(parsed)) {
    const contents = Object.fromEntries(parsed.eventTypes.map(({ event, count }) => [event, count]));
    return { id: parsed.batchId, event: DIGEST_EVENT, contents };
  }
  const { id, event } = (parsed ?? {}) as { id?: unknown; event?: unknown };
  return {
    id: typeof id === "string" ? id : null,
    event: typeof event === "string" ? event : null,
    contents: null,
  };
}

const SHOWN: Readonly<Record<Judgement["kind"], { readonly word: string; readonly colour: Colour }>> = {
  verified: { word: "verified", colour: "green" },
  refused: { word: "refused", colour: "red" },
  unsigned: { word: "unsigned", colour: "yellow" },
};

/**
 * A line for people, more of them where something is to be said or the terminal is narrow.
 * @param explains says in a sentence why a signature was refused, instead of by the code alone
 */
export function receivedLines(io: Pick<Io, "columns" | "paint">, received: Received, explains = true): string[] {
  const { judgement, status, attempt, event, eventId, deliveryId } = received;
  const { word, colour } = SHOWN[judgement.kind];
  const remark = received.isTest ? "test" : received.isRepeated ? "again" : "";
  const cells: Cell[] = [
    { text: clockTime(Date.parse(received.receivedAt)), width: 8 },
    {
      text: String(status),
      width: 3,
      paint: (cell) => io.paint(status >= 200 && status < 300 ? "green" : "red", cell),
    },
    { text: word, width: 8, paint: (cell) => io.paint(colour, cell) },
    { text: attempt === null ? "" : `#${attempt}`, width: 3 },
    { text: sizeText(received.byteCount), width: 6, align: "right" },
    { text: `${event ?? received.path}${remark === "" ? "" : ` (${remark})`}`, width: 15 },
  ];
  const lines = streamLines(
    io,
    cells,
    [eventId, deliveryId].filter((id) => id !== null),
  );
  if (received.contents !== null) {
    const parts = Object.entries(received.contents).map(([type, count]) => `${count} ${type}`);
    lines.push(...below(io, parts.join(", ")));
  }
  if (judgement.kind === "refused") {
    const { reason, profile, message } = judgement;
    lines.push(...below(io, explains ? `${reason} (${profile}): ${message}` : `${reason} (${profile})`));
  }
  return lines;
}
