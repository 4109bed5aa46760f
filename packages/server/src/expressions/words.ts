// Words that cannot be names, and what people who know another language write instead of CEL's operators.
// The reserved list is CEL's own (language definition, "Syntax"): an expression must stay valid CEL.

const KEYWORDS = ["true", "false", "null", "in"];
const RESERVED = "as break const continue else for function if import let loop package namespace return var void while";
const WORDS: ReadonlySet<string> = new Set([...KEYWORDS, ...RESERVED.split(" ")]);

/** True for a word that a root name cannot be; after a full stop every word is a member's name. */
export function isReservedWord(word: string): boolean {
  return WORDS.has(word);
}

/** The key that a root name stands for: reserved words are written with an underscore behind them (`return_`). */
export function keyOfName(name: string): string {
  return name.endsWith("_") && isReservedWord(name.slice(0, -1)) ? name.slice(0, -1) : name;
}

const HABITS: ReadonlyMap<string, string> = new Map([
  ["and", "Write && for “and”."],
  ["or", "Write || for “or”."],
  ["not", "Write ! in front of what shall not hold, as in !(a == b) or a != b."],
  ["is", "Write == to compare."],
  ["eq", "Write == to compare."],
  ["in", 'Write in lower case: a in ["x", "y"].'],
  ["like", 'Use text.contains("…"), text.startsWith("…") or text.matches("…").'],
  ["between", "Write a >= 1 && a <= 9."],
  ["contains", 'Write text.contains("…").'],
  ["startswith", 'Write text.startsWith("…").'],
  ["endswith", 'Write text.endsWith("…").'],
  ["matches", 'Write text.matches("…").'],
  ["exists", "Write has(order.note) for a member, list.exists(x, …) for an element."],
]);

/** A hint for a word that stands where an operator was expected. */
export function hintForWord(word: string): string | undefined {
  return HABITS.get(word.toLowerCase());
}
