// Which known member a scanned name is, and which one its writer may have meant.
// Never allocates for a name that is known and written without escapes: this runs for every member of every event.
import type { ScanState } from "./scan-state.ts";
import { unescapedString } from "../../lib/json/unescaped-string.ts";

/** An unknown name is shown up to this many characters; a name may be as long as the body. */
const SHOWN_NAME_LENGTH = 64;

/** How many edits apart two names may be for one to be proposed for the other. */
const MAX_EDITS = 2;

/** Index in `names` (ASCII) of the member name that the state holds, compared after unescaping; -1 if none. */
export function knownName(state: ScanState, names: readonly string[]): number {
  if (state.nameHasEscape) return names.indexOf(scannedName(state));
  const { bytes, nameStart, nameEnd } = state;
  const length = nameEnd - nameStart - 2;
  for (let index = 0; index < names.length; index++) {
    const name = names[index] as string;
    if (name.length === length && standsAt(bytes, nameStart + 1, name)) return index;
  }
  return -1;
}

/** The unknown name for messages: decoded, and cut short where it is long. */
export function shownName(state: ScanState): string {
  const name = scannedName(state);
  return name.length <= SHOWN_NAME_LENGTH ? name : `${name.slice(0, SHOWN_NAME_LENGTH)}…`;
}

/** The known name nearest to a misspelt one, or null if none is near: `evnt` and `Event` mean `event`. */
export function nearestName(name: string, names: readonly string[]): string | null {
  const spelling = plainSpelling(name);
  let nearest: string | null = null;
  let fewest = MAX_EDITS + 1;
  for (const candidate of names) {
    const edits = editDistance(spelling, plainSpelling(candidate));
    // A name of two letters is two edits away from every other one, so edits must stay below half of its length.
    if (edits < fewest && edits * 2 < candidate.length) {
      nearest = candidate;
      fewest = edits;
    }
  }
  return nearest;
}

function scannedName(state: ScanState): string {
  return unescapedString(state.bytes, state.nameStart, state.nameEnd);
}

function standsAt(bytes: Buffer, start: number, name: string): boolean {
  for (let offset = 0; offset < name.length; offset++) {
    if (bytes[start + offset] !== name.charCodeAt(offset)) return false;
  }
  return true;
}

function plainSpelling(name: string): string {
  return name.toLowerCase().replaceAll(/[_-]/g, "");
}

/** Levenshtein distance, row by row. Both names are short: `shownName` has cut the sender's. */
function editDistance(left: string, right: string): number {
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const next = [i];
    for (let j = 1; j <= right.length; j++) {
      const substituted = (row[j - 1] as number) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, (row[j] as number) + 1, (next[j - 1] as number) + 1));
    }
    row = next;
  }
  return row[right.length] as number;
}
