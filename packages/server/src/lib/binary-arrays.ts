// PostgreSQL's binary array format, so that one statement can carry thousands of rows as a handful of parameters.
// A Buffer parameter travels in binary; `$1::uuid[]` names its type. Measured (50 rows, 12 columns): 4 times less
// client CPU than text arrays. Must stay free of table knowledge, and keep a loop of its own for each type: a shared loop
// that is handed a function to write a value with is not inlined.

const OID = { bool: 16, int8: 20, int2: 21, int4: 23, text: 25, timestamptz: 1184, uuid: 2950 } as const;
/** Milliseconds from 1970 to PostgreSQL's epoch, 2000-01-01. */
const POSTGRES_EPOCH_MS = 946_684_800_000;
const HEADER_BYTES = 20;

function header(oid: number, length: number, byteLength: number, hasNull: boolean): Buffer {
  if (length === 0) {
    const empty = Buffer.alloc(12);
    empty.writeInt32BE(oid, 8);
    return empty;
  }
  const buffer = Buffer.allocUnsafe(HEADER_BYTES + byteLength);
  buffer.writeInt32BE(1, 0);
  buffer.writeInt32BE(hasNull ? 1 : 0, 4);
  buffer.writeInt32BE(oid, 8);
  buffer.writeInt32BE(length, 12);
  buffer.writeInt32BE(1, 16);
  return buffer;
}

/** uuid[] of 16-byte ids. */
export function uuidArray(values: readonly Uint8Array[]): Buffer {
  const buffer = header(OID.uuid, values.length, values.length * 20, false);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(16, at);
    buffer.set(value, at + 4);
    at += 20;
  }
  return buffer;
}

/** int2[]; null stays null. */
export function int2Array(values: readonly (number | null)[]): Buffer {
  const buffer = fixedArray(OID.int2, 2, values);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 2, at);
    at += 4;
    if (value === null) continue;
    buffer.writeInt16BE(value, at);
    at += 2;
  }
  return buffer;
}

/** int4[]; null stays null. */
export function int4Array(values: readonly (number | null)[]): Buffer {
  const buffer = fixedArray(OID.int4, 4, values);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 4, at);
    at += 4;
    if (value === null) continue;
    buffer.writeInt32BE(value, at);
    at += 4;
  }
  return buffer;
}

/** int8[] of safe integers. */
export function int8Array(values: readonly (number | null)[]): Buffer {
  const buffer = fixedArray(OID.int8, 8, values);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 8, at);
    at += 4;
    if (value === null) continue;
    writeInt64(buffer, value, at);
    at += 8;
  }
  return buffer;
}

/** timestamptz[] of milliseconds since 1970 (Infinity is PostgreSQL's infinity); null stays null. */
export function timestamptzArray(values: readonly (number | null)[]): Buffer {
  const buffer = fixedArray(OID.timestamptz, 8, values);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(value === null ? -1 : 8, at);
    at += 4;
    if (value === null) continue;
    if (value === Number.POSITIVE_INFINITY) buffer.writeBigInt64BE(0x7fffffffffffffffn, at);
    else writeInt64(buffer, Math.round((value - POSTGRES_EPOCH_MS) * 1000), at);
    at += 8;
  }
  return buffer;
}

/** bool[]. */
export function boolArray(values: readonly boolean[]): Buffer {
  const buffer = fixedArray(OID.bool, 1, values);
  let at = HEADER_BYTES;
  for (const value of values) {
    buffer.writeInt32BE(1, at);
    buffer[at + 4] = value ? 1 : 0;
    at += 5;
  }
  return buffer;
}

/** text[]; null stays null. Text must not hold U+0000, which PostgreSQL's text cannot. */
export function textArray(values: readonly (string | null)[]): Buffer {
  let byteLength = 0;
  let hasNull = false;
  for (const value of values) {
    byteLength += 4;
    if (value === null) hasNull = true;
    else byteLength += Buffer.byteLength(value);
  }
  const buffer = header(OID.text, values.length, byteLength, hasNull);
  let at = HEADER_BYTES;
  for (const value of values) {
    if (value === null) {
      buffer.writeInt32BE(-1, at);
      at += 4;
      continue;
    }
    const written = buffer.write(value, at + 4);
    buffer.writeInt32BE(written, at);
    at += 4 + written;
  }
  return buffer;
}

/** Many byte strings as one parameter, with the place of each: `substring($1 from start for length)`. */
export function packBytes(values: readonly (Uint8Array | null)[]): {
  bytes: Buffer;
  starts: number[];
  lengths: number[];
} {
  const starts: number[] = [];
  const lengths: number[] = [];
  const present: Uint8Array[] = [];
  let at = 1;
  for (const value of values) {
    starts.push(at);
    lengths.push(value === null ? -1 : value.byteLength);
    if (value === null) continue;
    present.push(value);
    at += value.byteLength;
  }
  return { bytes: Buffer.concat(present, at - 1), starts, lengths };
}

/** The header of an array of fixed width, and room for its values; a null takes its length word and no more. */
function fixedArray(oid: number, width: number, values: readonly unknown[]): Buffer {
  let nullCount = 0;
  for (const value of values) if (value === null) nullCount += 1;
  return header(oid, values.length, values.length * (4 + width) - nullCount * width, nullCount > 0);
}

function writeInt64(buffer: Buffer, value: number, at: number): void {
  buffer.writeInt32BE(Math.floor(value / 0x100000000), at);
  buffer.writeUInt32BE(((value % 0x100000000) + 0x100000000) % 0x100000000, at + 4);
}
