// Between commander and a command: makes the Io, runs, and turns what is thrown into words and an exit code.
import type { Command } from "commander";
import { EXIT, type ExitCode, toldFailure } from "./exit.ts";
import { Io, type Streams } from "./io.ts";

/**
 * A commander action.
 * @param work gets the options (commander checked them, so it says what they are) and the arguments; what it resolves
 * with is the exit code, nothing means 0
 */
export function runs(
  work: (io: Io, options: never, ...args: never[]) => Promise<ExitCode | void>,
  streams: Streams = process,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals<{ readonly json?: boolean }>();
    const io = new Io(streams, { isJson: options.json === true });
    quietWhenCut(streams, io);
    try {
      process.exitCode = (await work(io, options as never, ...(given.slice(0, -2) as never[]))) ?? EXIT.ok;
    } catch (error) {
      const told = toldFailure(error);
      if (told === null) throw error;
      io.fail(told);
      process.exitCode = told.exitCode;
    }
  };
}

/** `posthorn events | head` is no error: nobody reads any further. What has to put something away does so first. */
function quietWhenCut(streams: Streams, io: Io): void {
  for (const stream of [streams.stdout, streams.stderr]) {
    stream.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EPIPE") throw error;
      if (io.onCut === null) process.exit(process.exitCode ?? 0);
      io.onCut();
    });
  }
}
