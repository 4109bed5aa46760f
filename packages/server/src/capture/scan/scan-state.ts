// What one pass over JSON text carries along: the bytes, their end, and what it found out on the way.
// Never decides what a finding means for the sender (refusals.ts does), never holds decoded payload.

/** What every skip function returns when the text is refused; the reason then stands in the state. */
export const REFUSED = -1;

/** The state of one pass. One small object per scanned body; skip functions read and write it in place. */
export class ScanState {
  readonly bytes: Buffer;
  /** Offset after the last byte that belongs to the text. */
  readonly end: number;
  /** Deepest nesting that is accepted; `Infinity` where each item is measured on its own later. */
  readonly maxDepth: number;
  /** Deepest nesting seen so far, in levels. */
  depth = 0;
  /** A number of more than 15 significant digits was seen: a double would not carry it. */
  hasLongNumber = false;
  /** The string skipped last holds at least one escape. */
  stringHasEscape = false;
  /** Byte range of the member name read last, quotes included; the flag above may have moved on since. */
  nameStart = 0;
  nameEnd = 0;
  nameHasEscape = false;
  /** Where the text was refused (-1: it was not), and what the grammar would have allowed there. */
  failedAt = -1;
  expected = "";
  isTooDeep = false;

  constructor(bytes: Buffer, end: number, maxDepth: number) {
    this.bytes = bytes;
    this.end = end;
    this.maxDepth = maxDepth;
  }
}

/** Notes where the grammar was left and what it would have allowed there; returns `REFUSED`. */
export function refuseSyntax(state: ScanState, position: number, expected: string): number {
  state.failedAt = position;
  state.expected = expected;
  return REFUSED;
}

/** Notes that the text is nested deeper than `maxDepth`; returns `REFUSED`. */
export function refuseDepth(state: ScanState, position: number): number {
  state.failedAt = position;
  state.isTooDeep = true;
  return REFUSED;
}

/** The byte at `position`, or -1 at the end of the text. A slice ends before its buffer does, hence the check. */
export function byteAt(state: ScanState, position: number): number {
  return position < state.end ? (state.bytes[position] as number) : -1;
}
