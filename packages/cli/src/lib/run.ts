// Between commander and a command: makes the Io, runs, and turns what is thrown into words and an exit code.
import type { Command } from "commander";
import { EXIT, type ExitCode, toldFailure } from "./exit.ts";
import { Io, type Streams } from "./io.ts";

/** Every command's options, with those of its parents. */
export type Options = Readonly<Record<string, unknown>>;

/**
 * A commander action.
 * @param work gets the command's arguments; what it resolves with is the exit code, nothing means 0
 */
export function runs<Arguments extends readonly unknown[], Given extends object>(
  work: (io: Io, options: Given, ...args: Arguments) => Promise<ExitCode | void>,
  streams: Streams = process,
): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command;
    const options = command.optsWithGlobals() as Given & { readonly json?: boolean };
    const io = new Io(streams, { isJson: options.json === true });
    quietWhenCut(streams.stdout);
    try {
      process.exitCode = (await work(io, options, ...(given.slice(0, -2) as unknown as Arguments))) ?? EXIT.ok;
    } catch (error) {
      const told = toldFailure(error);
      if (told === null) throw error;
      io.fail(told);
      process.exitCode = told.exitCode;
    }
  };
}

/** `posthorn events | head` is no error: nobody reads any further. */
function quietWhenCut(stdout: NodeJS.WriteStream): void {
  stdout.once("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(process.exitCode ?? 0);
    throw error;
  });
}
