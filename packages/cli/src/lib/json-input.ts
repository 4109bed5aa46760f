// JSON that people give on the command line or in a file. What is wrong is said with its place, never repeated.
import { readFile } from "node:fs/promises";
import { usageFailure } from "./exit.ts";

/** @throws CommandFailure that names where it came from */
export function parseJsonText(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // V8 repeats a piece of the text in some of its messages; the place is all that is needed.
    const place = /at position \d+(?: \(line \d+ column \d+\))?/.exec((error as Error).message)?.[0];
    throw usageFailure(`${source} is not JSON${place === undefined ? "" : ` (${place})`}.`);
  }
}

/** The text of a file; `-` is standard input. */
export async function readInput(path: string): Promise<Buffer> {
  if (path !== "-") {
    return readFile(path).catch((error: NodeJS.ErrnoException) => {
      throw usageFailure(`${path} cannot be read (${error.code}).`);
    });
  }
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
