// Looks again and again until it is stopped, and survives a server that is away for a while: it says so once, tries on,
// and says when it is back. What the server refuses for good ends it.
import { ConnectionFailed, isPosthornError, TimedOut, UnexpectedAnswer } from "@posthorn/client";
import { pause } from "./stop.ts";

export interface Looks<Item> {
  /** What is new; `isFar` asks to look back further. */
  readonly look: (isFar: boolean) => Promise<readonly Item[]>;
  readonly signal: AbortSignal;
  readonly note: (line: string) => void;
  /** Called once, after the first look: what happens from then on is found. */
  readonly begun: () => void;
  readonly everyMs: number;
}

/** Every so many looks one goes further back. */
const FAR_EVERY = 8;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Everything that the looks find, in their order; ends when it is stopped.
 * @throws what a look throws for good, and at the first look whatever it throws: nobody waits for a wrong address
 */
export async function* stream<Item>({ look, signal, note, begun, everyMs }: Looks<Item>): AsyncGenerator<Item> {
  let failures = 0;
  for (let looks = 0; !signal.aborted; looks += 1) {
    let found: readonly Item[] = [];
    try {
      found = await look(failures > 0 || looks % FAR_EVERY === 0);
      if (failures > 0) note("Connected again; nothing was missed.");
      failures = 0;
      if (looks === 0) begun();
    } catch (error) {
      if (signal.aborted) return;
      if (looks === 0 || !isPassing(error)) throw error;
      failures += 1;
      if (failures === 1) note(`${error.message} Trying again…`);
    }
    for (const item of found) {
      // Checked by hand between two items too: thousands may be found by one look.
      if (signal.aborted) return;
      yield item;
    }
    await pause(failures === 0 ? everyMs : Math.min(LONGEST_PAUSE_MS, everyMs * 2 ** failures), signal);
  }
}

function isPassing(error: unknown): error is Error {
  if (error instanceof ConnectionFailed || error instanceof TimedOut) return true;
  if (error instanceof UnexpectedAnswer) return (error.status ?? 0) >= 500;
  return isPosthornError(error) && (error.retryable || (error.status ?? 0) >= 500);
}
