// YAML text into trees, one for each document. Only what JSON can say passes: no tags, no keys that are no text.
// The parser's own messages are used without their excerpt of the source, which may hold a secret.
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  Scalar,
} from "yaml";
import { PLACEHOLDER_NAME, type Place, type Problem, type Tree, type TreeMember } from "./tree.ts";

/** Aliases can make a small file huge, or endless. */
const MAX_NODES = 200_000;
const MAX_DEPTH = 64;

export interface ReadYaml {
  /** One for each document that holds something. */
  readonly documents: readonly Tree[];
  readonly problems: readonly Problem[];
}

/** @param file the name shown in places */
export function readYaml(text: string, file: string): ReadYaml {
  const lines = new LineCounter();
  // The parser's error for a document of nothing but a comment is no error to us, so each document is looked at.
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  const problems: Problem[] = [];
  const documents: Tree[] = [];
  const placeAt = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(1, line), column: Math.max(1, col) };
  };
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const wrong = [...document.errors, ...document.warnings];
    for (const { pos, message } of wrong)
      problems.push({ place: placeAt(pos[0]), message: `This is not YAML: ${message}` });
    if (wrong.length > 0 || document.contents === null) continue;
    const walk = new Walk(document, text, placeAt, problems);
    const tree = walk.tree(document.contents as Node, 0);
    if (tree.kind !== "scalar" || tree.value !== null) documents.push(tree);
  }
  return { documents, problems };
}

class Walk {
  readonly #document: Document;
  readonly #text: string;
  readonly #placeAt: (offset: number) => Place;
  readonly #problems: Problem[];
  #nodeCount = 0;

  constructor(document: Document, text: string, placeAt: (offset: number) => Place, problems: Problem[]) {
    this.#document = document;
    this.#text = text;
    this.#placeAt = placeAt;
    this.#problems = problems;
  }

  tree(node: Node | null, depth: number, at?: Place): Tree {
    const place = at ?? this.#placeAt(node?.range?.[0] ?? 0);
    this.#nodeCount += 1;
    if (this.#nodeCount > MAX_NODES || depth > MAX_DEPTH) {
      if (this.#nodeCount <= MAX_NODES + 1) this.#complain(place, "This is too large, or nests too deeply.");
      this.#nodeCount = MAX_NODES + 1;
      return this.#nothing(place);
    }
    if (isAlias(node)) return this.tree((node.resolve(this.#document) as Node | undefined) ?? null, depth + 1, place);
    if (isSeq(node)) {
      const name = placeholderName(node.items as Node[]);
      if (name !== null) return { kind: "placeholder", place, name };
      return { kind: "list", place, items: node.items.map((item) => this.tree(item as Node | null, depth + 1)) };
    }
    if (isMap(node)) {
      const members = node.items.flatMap((pair) => this.#member(pair.key as Node, pair.value as Node | null, depth));
      return { kind: "map", place, members };
    }
    return isScalar(node) ? this.#scalar(node, place) : this.#nothing(place);
  }

  #member(keyNode: Node, valueNode: Node | null, depth: number): TreeMember[] {
    const keyPlace = this.#placeAt(keyNode?.range?.[0] ?? 0);
    if (!isScalar(keyNode)) {
      this.#complain(keyPlace, "A key must be a text.");
      return [];
    }
    const key = typeof keyNode.value === "string" ? keyNode.value : (keyNode.source ?? String(keyNode.value));
    // `Key:` with nothing after it has no place of its own.
    const value = valueNode?.range ? this.tree(valueNode, depth + 1) : this.tree(valueNode, depth + 1, keyPlace);
    return [{ key, keyPlace, value }];
  }

  #scalar(node: Scalar, place: Place): Tree {
    const { value } = node;
    if (typeof value === "number" && !isExact(value, node.source ?? "")) {
      this.#complain(place, "This number cannot be carried exactly. Put it in quotes to send it as a text.");
      return this.#nothing(place);
    }
    if (value !== null && typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") {
      this.#complain(place, "Only texts, numbers, true, false and null can stand here.");
      return this.#nothing(place);
    }
    const source = node.source === undefined ? {} : { source: node.source };
    return { kind: "scalar", place, value, textPlace: this.#textPlace(node, place), ...source };
  }

  /** Source and value of a text are the same letter by letter unless it is folded, escaped or a block. */
  #textPlace(node: Scalar, place: Place): Place | null {
    const [start, end] = node.range ?? [0, 0];
    if (typeof node.value !== "string") return null;
    const source = this.#text.slice(start, end);
    if (source === node.value) return place;
    const isQuoted = node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE;
    return isQuoted && source.slice(1, -1) === node.value ? { ...place, column: place.column + 1 } : null;
  }

  #nothing(place: Place): Tree {
    return { kind: "scalar", place, value: null, textPlace: null };
  }

  #complain(place: Place, message: string): void {
    this.#problems.push({ place, message });
  }
}

/** Integers beyond 2^53 are rounded by whoever reads JSON: they pass when what is sent has the digits that are written. */
function isExact(value: number, source: string): boolean {
  if (!Number.isFinite(value)) return false;
  if (Number.isSafeInteger(value) || !/^[-+]?\d+$/.test(source)) return true;
  const written = source.replace("+", "");
  return String(value) === written || BigInt(value) === BigInt(written);
}

/** The name in `[NAME]`; quotes around it mean the text. */
function placeholderName(items: readonly (Node | null)[]): string | null {
  const [only] = items;
  if (items.length !== 1 || !isScalar(only) || only.type !== Scalar.PLAIN) return null;
  return typeof only.value === "string" && PLACEHOLDER_NAME.test(only.value) ? only.value : null;
}
