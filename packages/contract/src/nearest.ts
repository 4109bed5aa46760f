// Suggestions for a misspelt name: the candidates that need the fewest typing corrections.
// Must stay cheap on hostile input: names of very different length are never compared letter by letter.

/** Share of the longer name's letters that may differ before a suggestion is more noise than help. */
const LARGEST_DIFFERENCE = 0.4;

/**
 * The candidates that look most like `name`, best first, for the "did you mean" part of an error.
 * Letter case does not count. Equal distances are ordered alphabetically, so that answers are stable.
 * @param limit the most names to return
 * @returns possibly none: a candidate with more than 40 % of its letters wrong is no suggestion
 */
export function nearestNames(name: string, candidates: Iterable<string>, limit: number): string[] {
  const wanted = name.toLowerCase();
  const found: { candidate: string; distance: number }[] = [];
  for (const candidate of new Set(candidates)) {
    const largest = Math.max(1, Math.floor(LARGEST_DIFFERENCE * Math.max(wanted.length, candidate.length)));
    if (Math.abs(wanted.length - candidate.length) > largest) continue;
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance <= largest) found.push({ candidate, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  return found.slice(0, limit).map((entry) => entry.candidate);
}

/**
 * How many insertions, deletions, replacements and swaps of neighbours turn one text into the other
 * (optimal string alignment: `payed` → `paid` is 2, `recieved` → `received` is 1). Counts UTF-16 units.
 */
export function editDistance(a: string, b: string): number {
  let twoBack: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= b.length; column += 1) {
      const replaced = at(previous, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1);
      let best = Math.min(replaced, at(previous, column) + 1, at(current, column - 1) + 1);
      if (row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]) {
        best = Math.min(best, at(twoBack, column - 2) + 1);
      }
      current.push(best);
    }
    twoBack = previous;
    previous = current;
  }
  return at(previous, b.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] as number;
}
