// What the demo shows: a few lines that are drawn anew on a terminal, a line now and then elsewhere, and the table at
// the end. Never wider than the terminal; colour only there.

const MIN_COLUMNS = 40;
const REDRAW_MS = 100;
const LINE_EVERY_MS = 3_000;

export function makeScreen(stream, env) {
  const isTerminal = stream.isTTY === true;
  const hasColour = env.NO_COLOR ? false : isTerminal || (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "0");
  const columns = () => Math.max(MIN_COLUMNS, stream.columns ?? (Number(env.COLUMNS) || 80));
  const paint = (code, text) => (hasColour ? `\u001b[${code}m${text}\u001b[0m` : text);
  let drawn = 0;
  let drawnAtMs = Number.NEGATIVE_INFINITY;

  const clear = () => {
    if (drawn > 0) stream.write(`\u001b[${drawn}A\u001b[J`);
    drawn = 0;
  };
  return {
    columns,
    bold: (text) => paint("1", text),
    dim: (text) => paint("2", text),
    say(text = "") {
      clear();
      stream.write(`${text}\n`);
    },
    /** Wraps at blanks. */
    tell(text) {
      this.say(wrap(text, Math.min(columns(), 100)).join("\n"));
    },
    /**
     * @param {() => string[]} lines plain text for a terminal
     * @param {() => string} line the same for everything else
     * @param {boolean} isLast stays on the screen, and is shown however soon it comes
     */
    progress(lines, line, isLast = false) {
      const now = performance.now();
      if (!isLast && now - drawnAtMs < (isTerminal ? REDRAW_MS : LINE_EVERY_MS)) return;
      drawnAtMs = now;
      if (!isTerminal) {
        stream.write(`${line()}\n`);
        return;
      }
      const texts = lines().map((text) => text.slice(0, columns() - 1));
      clear();
      stream.write(texts.map((text) => `${text}\n`).join(""));
      drawn = isLast ? 0 : texts.length;
    },
  };
}

/** `█████░░░░░` */
export function bar(share, width) {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return "█".repeat(full) + "░".repeat(width - full);
}

export function wrap(text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line !== "" && line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines;
}

/**
 * A table with measures as rows, one column for each webhook, figures on the right of their column.
 * @param {string[]} names of the columns, wrapped to fit
 * @param {[string, ...string[]][]} rows
 */
export function figures(names, rows, width, { bold, dim }) {
  const room = Math.min(width, 100) - 1;
  const first = Math.max(...rows.map(([label]) => label.length));
  const column = Math.max(10, Math.min(30, Math.floor((room - first) / names.length) - 2));
  const heads = names.map((name) => wrap(name, column));
  const height = Math.max(...heads.map((lines) => lines.length));
  const right = (text) => text.slice(0, column).padStart(column + 2);
  const lines = [];
  for (let line = 0; line < height; line += 1) {
    const texts = heads.map((head) => head[line - (height - head.length)] ?? "");
    lines.push(bold(`${" ".repeat(first)}${texts.map(right).join("")}`));
  }
  lines.push(dim("─".repeat(first + names.length * (column + 2))));
  for (const [label, ...cells] of rows) lines.push(`${label.padEnd(first)}${cells.map(right).join("")}`);
  return lines.join("\n");
}
