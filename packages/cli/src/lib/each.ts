// Does something for each of many things: one after the other, with progress, and goes on when one fails.
import { type ExitCode, EXIT, type ToldFailure, toldFailure } from "./exit.ts";
import type { Io } from "./io.ts";

export type EachResult<Done> =
  | { readonly id: string; readonly ok: true; readonly done: Done }
  | { readonly id: string; readonly ok: false; readonly error: Pick<ToldFailure, "code" | "message"> };

const MOST_LINES = 20;

/**
 * @param ids what to work on, found while it runs
 * @param told one line for what was done
 * @returns 1 when one or more failed; a server that cannot be reached ends it at once
 */
export async function forEach<Done>(
  io: Io,
  ids: AsyncIterable<string> | Iterable<string>,
  work: (id: string) => Promise<Done>,
  told: (id: string, done: Done) => string,
): Promise<ExitCode> {
  const results: EachResult<Done>[] = [];
  let failedCount = 0;
  const total = Array.isArray(ids) ? ids.length : null;
  // More lines than fit a screen would only push away what went wrong.
  const isBrief = total !== null && total > MOST_LINES;
  for await (const id of ids) {
    io.progress(total === null ? `${results.length} done…` : `${results.length} of ${total}…`);
    try {
      const done = await work(id);
      results.push({ id, ok: true, done });
      if (!io.isJson && !isBrief) io.say(told(id, done));
    } catch (error) {
      const failure = toldFailure(error);
      if (failure === null || failure.exitCode === EXIT.unreachable || failure.code === "UNAUTHORIZED") throw error;
      failedCount += 1;
      results.push({ id, ok: false, error: { code: failure.code, message: failure.message } });
      if (!io.isJson) io.note(`${id}: ${failure.code}: ${failure.message}`);
    }
  }
  if (io.isJson) io.json(results);
  else if (results.length === 0) io.note("Nothing to do.");
  else if (results.length > 1) io.note(`${results.length - failedCount} of ${results.length} done.`);
  return failedCount === 0 ? EXIT.ok : EXIT.failed;
}
