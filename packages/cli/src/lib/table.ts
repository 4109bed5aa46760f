// Tables that fit: columns shrink where they may, then the least important ones go. Pure; it knows no terminal.
import { clean, pad, shorten, widthOf } from "./text.ts";

export interface Column<Row> {
  readonly title: string;
  readonly text: (row: Row) => string;
  /** May be shortened to so many columns; ids and times may not, they are copied. */
  readonly shrinksTo?: number;
  /** Goes when there is no room: higher numbers go first. Columns without one stay. */
  readonly goesAt?: number;
  readonly align?: "left" | "right";
  /** Colours a cell, after it was padded. */
  readonly paint?: (cell: string, row: Row) => string;
}

const GAP = "  ";

/** @param width columns of the terminal; Infinity where nobody looks */
export function tableLines<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  width: number,
  paintTitle: (title: string) => string = (title) => title,
): string[] {
  const texts = columns.map((column) => rows.map((row) => clean(column.text(row))));
  const natural = columns.map((column, at) =>
    Math.max(widthOf(column.title), ...(texts[at] ?? []).map((text) => widthOf(text))),
  );
  const { shown, widths } = fit(columns, natural, width);
  const line = (cells: readonly string[]): string => cells.join(GAP).trimEnd();
  const last = shown.at(-1);
  const cell = (text: string, at: number): string => {
    const short = shorten(text, widths[at] ?? 0);
    // Blanks after the last column would only break lines.
    return at === last && columns[at]?.align !== "right" ? short : pad(short, widths[at] ?? 0, columns[at]?.align);
  };
  const titles = shown.map((at) => paintTitle(cell(columns[at]?.title ?? "", at)));
  const body = rows.map((row, index) =>
    line(
      shown.map((at) => {
        const text = cell(texts[at]?.[index] ?? "", at);
        return columns[at]?.paint?.(text, row) ?? text;
      }),
    ),
  );
  return [line(titles), ...body];
}

function fit<Row>(
  columns: readonly Column<Row>[],
  natural: readonly number[],
  width: number,
): { shown: number[]; widths: number[] } {
  const least = columns.map((column, at) => Math.min(natural[at] ?? 0, column.shrinksTo ?? Number.POSITIVE_INFINITY));
  let shown = columns.map((_, at) => at);
  const total = (sizes: readonly number[]): number =>
    shown.reduce((sum, at) => sum + (sizes[at] ?? 0), GAP.length * (shown.length - 1));
  while (total(least) > width) {
    const next = shown
      .filter((at) => columns[at]?.goesAt !== undefined)
      .sort((a, b) => (columns[b]?.goesAt ?? 0) - (columns[a]?.goesAt ?? 0))[0];
    if (next === undefined) break;
    shown = shown.filter((at) => at !== next);
  }
  const widths = [...natural];
  // Takes from the widest that may still shrink, one column at a time.
  for (let over = total(widths) - width; over > 0; over -= 1) {
    const widest = shown
      .filter((at) => (widths[at] ?? 0) > (least[at] ?? 0))
      .sort((a, b) => (widths[b] ?? 0) - (widths[a] ?? 0))[0];
    if (widest === undefined) break;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
  return { shown, widths };
}
