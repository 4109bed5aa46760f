// The file: gzip around one line of JSON (the header), then frames of one letter, a length and a payload:
//   T  a section begins: JSON { table, columns, retentionClass?, day? }
//   D  bytes of `COPY … (format binary)` of that section, as they came
//   E  the section ends: JSON { rowCount }
//   Z  the end: JSON { rowCounts by table, sha256 of every byte before this frame }
// `gunzip -c FILE | head -1` shows the header. Numbers are big-endian. Must change its version when it changes.
import { z } from "zod";

export const FORMAT_NAME = "posthorn-backup";
export const FORMAT_VERSION = 1;
/** Letter and length. */
export const FRAME_HEAD_BYTES = 5;
/** COPY arrives in pieces of a socket's reads; more than this is no frame of ours. */
export const MAX_FRAME_BYTES = 16 * 1024 * 1024;
export const MAX_HEADER_BYTES = 16 * 1024 * 1024;

export const FRAME_KINDS = ["T", "D", "E", "Z"] as const;
export type FrameKind = (typeof FRAME_KINDS)[number];

/** Read before the rest of the header: what a newer program writes may be of another shape. */
export const headMarks = z.object({ format: z.literal(FORMAT_NAME), version: z.int().positive() });

const count = z.int().nonnegative();
const name = z.string().regex(/^[a-z_][a-z0-9_]*$/);
const day = z.iso.date();

export const headerSchema = headMarks.extend({
  createdAt: z.iso.datetime(),
  /** The program that made it. */
  program: z.string(),
  /** As a number: 180004 is 18.4. */
  postgresVersion: count,
  migrations: z.array(z.object({ name: z.string(), checksum: z.string() })).min(1),
  /** One tenant's key for each master key, wrapped by it: opens with the right one, and says nothing without. */
  wrappedKeys: z.array(z.object({ tenantId: z.uuid(), id: z.uuid(), wrappedKey: z.string() })),
  /** Last value of delivery_seq, read after the snapshot. */
  deliverySeq: count,
  /** The days that have rows. */
  history: z.array(z.object({ table: name, retentionClass: count, days: z.array(day).min(1) })),
});
export type BackupHeader = z.infer<typeof headerSchema>;

export const sectionSchema = z.object({
  table: name,
  columns: z.array(name).min(1),
  retentionClass: count.optional(),
  day: day.optional(),
});
export type Section = z.infer<typeof sectionSchema>;

export const sectionEndSchema = z.object({ rowCount: count });

export const trailerSchema = z.object({
  rowCounts: z.record(name, count),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
export type BackupTrailer = z.infer<typeof trailerSchema>;

/** The head of a frame; its payload follows. */
export function frameHead(kind: FrameKind, payloadBytes: number): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES);
  head.write(kind, 0, "latin1");
  head.writeUInt32BE(payloadBytes, 1);
  return head;
}

/** A whole frame that holds JSON. */
export function jsonFrame(kind: FrameKind, value: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(value), "utf8");
  return Buffer.concat([frameHead(kind, payload.length), payload]);
}
