// How the command speaks: plain lines, colour only on a terminal that wants it, errors to standard error.
import { styleText } from "node:util";
import { wantsColour } from "./lib/io.ts";

const hasColour = (stream: NodeJS.WriteStream): boolean => wantsColour(stream, process.env);

export function say(line = ""): void {
  process.stdout.write(`${line}\n`);
}

export function bold(text: string): string {
  return hasColour(process.stdout) ? styleText("bold", text) : text;
}

/** One refusal: its stable code and what to do. */
export function fail(code: string, message: string): void {
  const label = hasColour(process.stderr) ? styleText("red", code) : code;
  process.stderr.write(`${label}: ${message}\n`);
}
