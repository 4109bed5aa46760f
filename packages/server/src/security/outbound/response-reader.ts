// Keeps the part of a response that is worth keeping: status, some headers, the first bytes of the body.
// It must never decompress and never hold a view into a socket's buffer (a few bytes would pin 64 KiB).

/** The body is read no further than this, counted in bytes as received. */
export const MAX_BODY_READ_BYTES = 64 * 1024;

const MAX_HEADERS = 100;
const NO_BYTES = Buffer.alloc(0);

export class ResponseReader {
  readonly status: number;
  /** Names and values in turn, latin-1. */
  readonly headers: readonly string[];
  readonly headersTruncated: boolean;
  /** The first bytes of the body. */
  body: Buffer = NO_BYTES;
  readBytes = 0;
  readonly #keptBodyBytes: number;

  /** `rawHeaders` are names and values in turn; they are copied here. */
  constructor(status: number, rawHeaders: readonly Buffer[], keptBodyBytes: number) {
    this.status = status;
    this.headersTruncated = rawHeaders.length > MAX_HEADERS * 2;
    const headers = this.headersTruncated ? rawHeaders.slice(0, MAX_HEADERS * 2) : rawHeaders;
    this.headers = headers.map((part) => part.toString("latin1"));
    this.#keptBodyBytes = keptBodyBytes;
  }

  /** Takes the next bytes of the body; `full` means: stop reading. */
  read(chunk: Buffer): "more" | "full" {
    this.readBytes += chunk.length;
    const room = this.#keptBodyBytes - this.body.length;
    if (room > 0) {
      const kept = chunk.subarray(0, room);
      // Buffer.from copies; nearly every body is one chunk.
      this.body = this.body.length === 0 ? Buffer.from(kept) : Buffer.concat([this.body, kept]);
    }
    return this.readBytes > MAX_BODY_READ_BYTES ? "full" : "more";
  }
}
