// How a command speaks: results on standard output, everything else on standard error; colour only on a terminal that
// wants it; `--json` instead of words. One for each command, made from the process that it runs in.
import { styleText } from "node:util";
import type { ToldFailure } from "./exit.ts";
import { type Column, tableLines } from "./table.ts";
import { clean, wrap } from "./text.ts";

export interface Streams {
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export class Io {
  readonly isJson: boolean;
  /** What a command does when nobody reads its output any more, instead of ending at once. */
  onCut: (() => void) | null = null;
  readonly #streams: Streams;
  #progressShown = false;

  constructor(streams: Streams, options: { readonly isJson: boolean }) {
    this.#streams = streams;
    this.isJson = options.isJson;
  }

  /** Columns of the terminal; without one lines are not cut, so that grep finds everything. */
  get columns(): number {
    const { stdout, env } = this.#streams;
    if (stdout.isTTY !== true) return env["COLUMNS"] === undefined ? Number.POSITIVE_INFINITY : Number(env["COLUMNS"]);
    return Math.max(40, stdout.columns || 80);
  }

  get isTerminal(): boolean {
    return this.#streams.stdout.isTTY === true;
  }

  /** One line of the result. */
  say(line = ""): void {
    this.#clearProgress();
    this.#streams.stdout.write(`${line}\n`);
  }

  /** A result as JSON. */
  json(value: unknown): void {
    this.say(JSON.stringify(value, null, 2));
  }

  /** One JSON value on a line of its own, for results without an end. */
  jsonLine(value: unknown): void {
    this.say(JSON.stringify(value));
  }

  /** A remark beside the result; nothing a script should read. */
  note(line: string): void {
    if (this.isJson) return;
    this.#clearProgress();
    this.#streams.stderr.write(`${line}\n`);
  }

  /** Something that went wrong beside the result; on standard error whatever the form of the result. */
  warn(line: string): void {
    this.#clearProgress();
    if (this.isJson) this.#streams.stderr.write(`${JSON.stringify({ warning: line })}\n`);
    else this.#streams.stderr.write(`${line}\n`);
  }

  /** How far it is; replaced by the next one, only on a terminal. */
  progress(line: string): void {
    const { stderr } = this.#streams;
    if (stderr.isTTY !== true || this.isJson) return;
    stderr.write(`\r\u001b[K${line}`);
    this.#progressShown = true;
  }

  /** Rows as a table, or a sentence when there is none. */
  table<Row>(rows: readonly Row[], columns: readonly Column<Row>[], whenEmpty: string): void {
    if (rows.length === 0) return this.note(whenEmpty);
    for (const line of tableLines(rows, columns, this.columns, (title) => this.paint("dim", title))) this.say(line);
  }

  /** Names and values below each other; values that are null or undefined are left out. */
  fields(entries: readonly (readonly [string, string | number | boolean | null | undefined])[]): void {
    const shown = entries.filter(([, value]) => value !== null && value !== undefined);
    const width = Math.max(0, ...shown.map(([name]) => name.length));
    for (const [name, value] of shown) {
      const room = Math.max(20, this.columns - width - 2);
      const [first = "", ...rest] = String(value)
        .split("\n")
        .flatMap((line) => wrap(clean(line), room));
      this.say(`${this.paint("dim", name.padEnd(width))}  ${first}`);
      for (const line of rest) this.say(`${" ".repeat(width)}  ${line}`);
    }
  }

  heading(text: string): void {
    this.say();
    this.say(this.paint("bold", text));
  }

  /** The text in a colour, where standard output shows colours. */
  paint(colour: Colour, text: string): string {
    return this.#paintFor(this.#streams.stdout, colour, text);
  }

  /** The text in a colour, where remarks show colours. */
  paintNote(colour: Colour, text: string): string {
    return this.#paintFor(this.#streams.stderr, colour, text);
  }

  /** A failure, on standard error: as words, or as one JSON object. */
  fail(failure: ToldFailure): void {
    this.#clearProgress();
    const { stderr } = this.#streams;
    if (this.isJson) {
      const { code, message, hint, details, requestId, documentation } = failure;
      stderr.write(`${JSON.stringify({ error: { code, message, hint, details, requestId, documentation } })}\n`);
      return;
    }
    const label = this.#paintFor(stderr, "red", failure.code);
    stderr.write(`${label}: ${failure.message.split("\n").map(clean).join("\n  ")}\n`);
    const said = failure.details.filter((detail) => !failure.message.includes(detail.message));
    for (const { field, message } of said) {
      stderr.write(`  ${field === undefined ? "" : `${clean(field)}: `}${clean(message)}\n`);
    }
    if (failure.hint !== null) stderr.write(`${clean(failure.hint)}\n`);
    if (failure.requestId !== null) {
      const about = failure.documentation === null ? "" : `, ${failure.documentation}`;
      stderr.write(`${this.#paintFor(stderr, "dim", `(${failure.requestId}${about})`)}\n`);
    }
  }

  #paintFor(stream: NodeJS.WriteStream, colour: Colour, text: string): string {
    return wantsColour(stream, this.#streams.env) ? styleText(colour, text, { validateStream: false }) : text;
  }

  #clearProgress(): void {
    if (!this.#progressShown) return;
    this.#streams.stderr.write("\r\u001b[K");
    this.#progressShown = false;
  }
}

/**
 * Terminals get colour unless they say otherwise: https://no-color.org, and FORCE_COLOR as Node.js takes it, which comes
 * first and works in a pipe too.
 */
export function wantsColour(stream: NodeJS.WriteStream, env: Readonly<Record<string, string | undefined>>): boolean {
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  return stream.isTTY === true && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
}
