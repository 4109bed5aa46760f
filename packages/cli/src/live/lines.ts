// One thing of a stream as a line: what is short stands in columns, ids behind it or, where there is no room, below it.
import type { Io } from "../lib/io.ts";
import { clean, pad, shorten, widthOf, wrap } from "../lib/text.ts";

export interface Cell {
  readonly text: string;
  /** Columns that it takes; what is longer is shortened only where it may be. */
  readonly width: number;
  readonly mayShorten?: boolean;
  readonly align?: "left" | "right";
  readonly paint?: (cell: string) => string;
}

const GAP = "  ";

/** Lines of at most the terminal's columns, as far as ids allow; ids are never cut. */
export function streamLines(
  io: Pick<Io, "columns" | "paint">,
  cells: readonly Cell[],
  ids: readonly string[],
): string[] {
  const texts = cells.map(({ text, width, mayShorten, align }) => {
    const safe = clean(text);
    return pad(mayShorten === true ? shorten(safe, width) : safe, width, align);
  });
  const painted = texts.map((text, at) => cells[at]?.paint?.(text) ?? text);
  const head = painted.join(GAP);
  const headWidth = texts.reduce((sum, text) => sum + widthOf(text), 0) + GAP.length * (texts.length - 1);
  const tail = clean(ids.join(" "));
  if (tail === "") return [head.trimEnd()];
  if (headWidth + GAP.length + widthOf(tail) <= io.columns) return [`${head}${GAP}${io.paint("dim", tail)}`];
  return [head.trimEnd(), ...wrap(tail, io.columns - GAP.length).map((line) => `${GAP}${io.paint("dim", line)}`)];
}

/** A text below a line, broken to the terminal. */
export function below(io: Pick<Io, "columns">, text: string): string[] {
  return wrap(clean(text), Math.max(20, io.columns - GAP.length)).map((line) => `${GAP}${line}`);
}

/** Hours, minutes and seconds where the person is. */
export function clockTime(atMs: number): string {
  const at = new Date(atMs);
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, "0")).join(":");
}

/** `711 B`, `12 kB`, `3.4 MB`. */
export function sizeText(byteCount: number): string {
  if (byteCount < 10_000) return `${byteCount} B`;
  return byteCount < 1_000_000 ? `${Math.round(byteCount / 1_000)} kB` : `${(byteCount / 1_000_000).toFixed(1)} MB`;
}
