// What a webhook file says, as a tree in which everything knows its place in the file: so that every complaint, the
// server's too, can point at file, line and column. Holds values that may be secrets: never print a scalar.

/** Line and column count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Something wrong in a file. `message` must not hold a value that may be a secret. */
export interface Problem {
  readonly place: Place;
  readonly message: string;
}

export interface TreeScalar {
  readonly kind: "scalar";
  readonly place: Place;
  readonly value: string | number | boolean | null;
  /** Where the first character of the text stands, when text and source are the same letter by letter. */
  readonly textPlace: Place | null;
  /** As written: 0123 is a password too. */
  readonly source?: string;
}

/** `[NAME]`: a list of one upper-case name stands for a value that is given when the file is applied. */
export interface TreePlaceholder {
  readonly kind: "placeholder";
  readonly place: Place;
  readonly name: string;
}

export interface TreeList {
  readonly kind: "list";
  readonly place: Place;
  readonly items: readonly Tree[];
}

export interface TreeMember {
  readonly key: string;
  readonly keyPlace: Place;
  readonly value: Tree;
}

export interface TreeMap {
  readonly kind: "map";
  readonly place: Place;
  readonly members: readonly TreeMember[];
}

export type Tree = TreeScalar | TreePlaceholder | TreeList | TreeMap;

/** What a list of one name must look like to be a placeholder. */
export const PLACEHOLDER_NAME = /^[A-Z][A-Z0-9_]*$/;

export const scalar = (value: TreeScalar["value"], place: Place): TreeScalar => ({
  kind: "scalar",
  place,
  value,
  textPlace: null,
});

/** The member of a map by its key. */
export function memberOf(map: TreeMap, key: string): TreeMember | undefined {
  return map.members.find((member) => member.key === key);
}

/** The plain value that JSON is made of. Placeholders must have been filled. */
export function plainValue(tree: Tree): unknown {
  switch (tree.kind) {
    case "scalar":
      return tree.value;
    case "placeholder":
      throw new Error(`the placeholder ${tree.name} was not filled`);
    case "list":
      return tree.items.map(plainValue);
    case "map":
      // Not an assignment: `__proto__` is a key like any other.
      return Object.fromEntries(tree.members.map(({ key, value }) => [key, plainValue(value)]));
    default:
      return tree satisfies never;
  }
}

/**
 * Where a field stands that the server names (`filters[0]`, `headers.X-Key`); where the path leads out of the tree, the
 * last place on it. A member is pointed at by its key.
 * @param position character of the field's text, counted from 0, when the server names one
 */
export function placeOf(tree: Tree, path: string, position?: number): Place {
  let current: Tree = tree;
  let place = tree.place;
  let rest = path;
  while (rest !== "") {
    const step = stepInto(current, rest);
    if (step === null) return place;
    ({ tree: current, place, rest } = step);
  }
  if (position === undefined || current.kind !== "scalar" || current.textPlace === null) return place;
  return { ...current.textPlace, column: current.textPlace.column + position };
}

function stepInto(tree: Tree, path: string): { tree: Tree; place: Place; rest: string } | null {
  const index = /^\[(\d+)\](?:\.|(?=\[)|$)/.exec(path);
  if (index !== null && tree.kind === "list") {
    const item = tree.items[Number(index[1])];
    return item === undefined ? null : { tree: item, place: item.place, rest: path.slice(index[0].length) };
  }
  if (tree.kind !== "map") return null;
  // Keys may hold dots, so the longest key that the path begins with is the one.
  let found: TreeMember | undefined;
  for (const member of tree.members) {
    const after = path.startsWith(member.key) ? path[member.key.length] : "-";
    const fits = after === undefined || after === "." || after === "[";
    if (fits && member.key.length > (found?.key.length ?? -1)) found = member;
  }
  if (found === undefined) return null;
  const rest = path.slice(found.key.length);
  return { tree: found.value, place: found.keyPlace, rest: rest.startsWith(".") ? rest.slice(1) : rest };
}
