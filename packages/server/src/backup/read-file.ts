// Reads a backup: its header, its sections in order, and its end, which proves that nothing was cut or changed.
// Must never hand out a byte beyond the limits, and never take a file for whole before its hash was compared.
import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { z } from "zod";
import { BackupError } from "./errors.ts";
import {
  type BackupHeader,
  type BackupTrailer,
  FORMAT_VERSION,
  FRAME_HEAD_BYTES,
  FRAME_KINDS,
  type FrameKind,
  headerSchema,
  headMarks,
  MAX_FRAME_BYTES,
  MAX_HEADER_BYTES,
  type Section,
  sectionEndSchema,
  sectionSchema,
  trailerSchema,
} from "./format.ts";

export interface BackupVisitor {
  /** Before anything else; what it throws ends the reading. */
  readonly onHeader: (header: BackupHeader) => Promise<void>;
  /** Takes the bytes of a section to their end; says how many rows it made of them. Without it they are only read. */
  readonly onSection?: (section: Section, bytes: AsyncIterable<Buffer>) => Promise<number>;
}

/**
 * Reads all of it.
 * @returns the trailer, which agrees with everything that was read
 * @throws BackupError NOT_A_BACKUP, BACKUP_CUT, BACKUP_DAMAGED, BACKUP_NEWER, and what the visitor throws
 */
export async function readBackup(input: Readable, visitor: BackupVisitor): Promise<BackupTrailer> {
  const gunzip = createGunzip();
  let trailer: BackupTrailer | undefined;
  try {
    await pipeline(input, gunzip, async (bytes: AsyncIterable<Buffer>) => {
      const source = new Source(bytes);
      await visitor.onHeader(await readHeader(source));
      trailer = await readSections(source, visitor);
    });
  } catch (error) {
    throw inOurWords(error, gunzip.bytesWritten);
  }
  if (trailer === undefined) throw cut();
  return trailer;
}

/** What zlib says of a file that is none, that ends early, or that was changed. */
function inOurWords(error: unknown, byteCount: number): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === "Z_BUF_ERROR") return byteCount === 0 ? notABackup() : cut();
  if (code === "Z_DATA_ERROR" && (error as Error).message === "incorrect header check") return notABackup();
  if (typeof code === "string" && code.startsWith("Z_")) return damaged("its compression does not come out", error);
  return error;
}

const notABackup = (): BackupError =>
  new BackupError("NOT_A_BACKUP", "This is no backup of Posthorn. Give a file that `posthorn backup` has written.");
const cut = (): BackupError =>
  new BackupError(
    "BACKUP_CUT",
    "The file ends before the backup does: it was cut, or the backup never came to its end. Use another copy.",
  );
export const damaged = (why: string, cause?: unknown): BackupError =>
  new BackupError("BACKUP_DAMAGED", `The file is not what was written: ${why}. Use another copy.`, { cause });

async function readHeader(source: Source): Promise<BackupHeader> {
  const line = await source.line(MAX_HEADER_BYTES);
  if (line === null) throw notABackup();
  const value = jsonOf(line);
  const marks = headMarks.safeParse(value);
  if (!marks.success) throw notABackup();
  if (marks.data.version > FORMAT_VERSION) {
    throw new BackupError(
      "BACKUP_NEWER",
      `The file has format ${marks.data.version}; this program reads up to ${FORMAT_VERSION}. Restore it with the program that made it, or a newer one.`,
    );
  }
  return checked(headerSchema, value, "its header");
}

async function readSections(source: Source, visitor: BackupVisitor): Promise<BackupTrailer> {
  const rowCounts: Record<string, number> = {};
  for (;;) {
    const hashBefore = source.hashSoFar();
    const frame = await source.frame();
    if (frame.kind === "Z") {
      const trailer = checked(trailerSchema, jsonOf(frame.payload), "its end");
      if (trailer.sha256 !== hashBefore) throw damaged("its SHA-256 is another");
      if (!sameCounts(trailer.rowCounts, rowCounts)) throw damaged("its row counts disagree");
      if (!(await source.isAtEnd())) throw damaged("something follows its end");
      return trailer;
    }
    if (frame.kind !== "T") throw damaged("a section is missing its beginning");
    const section = checked(sectionSchema, jsonOf(frame.payload), "a section");
    const rowCount = await readSection(source, section, visitor);
    rowCounts[section.table] = (rowCounts[section.table] ?? 0) + rowCount;
  }
}

async function readSection(source: Source, section: Section, visitor: BackupVisitor): Promise<number> {
  const { rowCount, bytes } = bytesOfSection(source);
  const made = visitor.onSection === undefined ? await drain(bytes) : await visitor.onSection(section, bytes);
  const promised = rowCount();
  if (made !== null && made !== promised) {
    throw damaged(`${section.table} has ${made} rows where ${promised} were written`);
  }
  return promised;
}

/** Reads on to the end: only the hash wants these bytes. */
async function drain(bytes: AsyncIterable<Buffer>): Promise<null> {
  const pieces = bytes[Symbol.asyncIterator]();
  while ((await pieces.next()).done !== true);
  return null;
}

function bytesOfSection(source: Source): { bytes: AsyncIterable<Buffer>; rowCount: () => number } {
  let rowCount: number | null = null;
  async function* read(): AsyncGenerator<Buffer> {
    for (;;) {
      const { kind, payload } = await source.frame();
      if (kind === "D") {
        yield payload;
        continue;
      }
      if (kind !== "E") throw damaged("a section has no end");
      rowCount = checked(sectionEndSchema, jsonOf(payload), "the end of a section").rowCount;
      return;
    }
  }
  return {
    bytes: read(),
    rowCount: () => {
      if (rowCount === null) throw damaged("a section was not read to its end");
      return rowCount;
    },
  };
}

/** A table without rows may be named by one side only. */
function sameCounts(promised: Readonly<Record<string, number>>, read: Readonly<Record<string, number>>): boolean {
  const tables = new Set([...Object.keys(promised), ...Object.keys(read)]);
  return [...tables].every((table) => (promised[table] ?? 0) === (read[table] ?? 0));
}

function jsonOf(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return undefined;
  }
}

function checked<Schema extends z.ZodType>(schema: Schema, value: unknown, what: string): z.infer<Schema> {
  const result = schema.safeParse(value);
  if (!result.success) throw damaged(`${what} cannot be read`);
  return result.data;
}

/** Bytes in portions that the reader asks for, hashed as they go. */
class Source {
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #hash = createHash("sha256");
  #rest: Buffer = Buffer.alloc(0);

  constructor(pieces: AsyncIterable<Buffer>) {
    this.#pieces = pieces[Symbol.asyncIterator]();
  }

  /** Of everything taken so far. */
  hashSoFar(): string {
    return this.#hash.copy().digest("hex");
  }

  async line(limitBytes: number): Promise<Buffer | null> {
    let end = this.#rest.indexOf(0x0a);
    while (end < 0) {
      if (this.#rest.length > limitBytes || !(await this.#more())) return null;
      end = this.#rest.indexOf(0x0a);
    }
    return this.#taken(end + 1);
  }

  async frame(): Promise<{ kind: FrameKind; payload: Buffer }> {
    const head = await this.#take(FRAME_HEAD_BYTES);
    const kind = FRAME_KINDS.find((each) => each === head.toString("latin1", 0, 1));
    const payloadBytes = head.readUInt32BE(1);
    if (kind === undefined || payloadBytes > MAX_FRAME_BYTES) throw damaged("a frame of no known kind or size");
    return { kind, payload: await this.#take(payloadBytes) };
  }

  async isAtEnd(): Promise<boolean> {
    return this.#rest.length === 0 && !(await this.#more());
  }

  async #take(byteCount: number): Promise<Buffer> {
    while (this.#rest.length < byteCount) if (!(await this.#more())) throw cut();
    return this.#taken(byteCount);
  }

  #taken(byteCount: number): Buffer {
    const bytes = this.#rest.subarray(0, byteCount);
    this.#rest = this.#rest.subarray(byteCount);
    this.#hash.update(bytes);
    return bytes;
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const { done, value } = await this.#pieces.next();
      if (done === true) return false;
      if (value.length === 0) continue;
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
      return true;
    }
  }
}
