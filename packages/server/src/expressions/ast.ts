// The tree of an expression. Every node knows where it stands in the source.
// Plain data: what a node means is decided by the compiler alone, so other dialects may build such trees too.
import type { Value } from "./values.ts";

/** `start` and `end` are 0-based offsets in UTF-16 units; `end` is behind the last character. */
interface Place {
  readonly start: number;
  readonly end: number;
}

export type BinaryOperator = "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<" | "<=" | ">" | ">=" | "in";

export type CallNode = Place & {
  readonly kind: "call";
  readonly name: string;
  /** Where the function's name stands. */
  readonly nameStart: number;
  /** What stands before the full stop in `receiver.name(…)`. */
  readonly receiver: Node | undefined;
  readonly args: readonly Node[];
};

export type Node =
  | (Place & { readonly kind: "literal"; readonly value: Value })
  | (Place & { readonly kind: "name"; readonly name: string })
  | (Place & { readonly kind: "member"; readonly object: Node; readonly name: string })
  | (Place & { readonly kind: "index"; readonly object: Node; readonly index: Node })
  | CallNode
  | (Place & { readonly kind: "list"; readonly elements: readonly Node[] })
  | (Place & { readonly kind: "object"; readonly entries: readonly (readonly [key: Node, value: Node])[] })
  | (Place & { readonly kind: "unary"; readonly operator: "!" | "-"; readonly operand: Node })
  | (Place & { readonly kind: "binary"; readonly operator: BinaryOperator; readonly left: Node; readonly right: Node })
  | (Place & { readonly kind: "logic"; readonly operator: "&&" | "||"; readonly operands: readonly Node[] })
  | (Place & { readonly kind: "choice"; readonly condition: Node; readonly yes: Node; readonly no: Node });

/** The nodes directly below a node, in source order. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case "literal":
    case "name":
      return [];
    case "member":
      return [node.object];
    case "index":
      return [node.object, node.index];
    case "call":
      return node.receiver === undefined ? node.args : [node.receiver, ...node.args];
    case "list":
      return node.elements;
    case "object":
      return node.entries.flat();
    case "unary":
      return [node.operand];
    case "binary":
      return [node.left, node.right];
    case "logic":
      return node.operands;
    case "choice":
      return [node.condition, node.yes, node.no];
  }
}

/** How many nodes a tree has, itself included: the work that one evaluation of it costs. */
export function countNodes(node: Node): number {
  return childrenOf(node).reduce((sum, child) => sum + countNodes(child), 1);
}

/** Whether some part of a tree builds a new list or object, instead of passing on a part of the payload. */
const BUILDERS: ReadonlySet<string> = new Set("map filter split distinct flatten pick without merge".split(" "));

export function buildsValues(node: Node): boolean {
  const builds =
    node.kind === "list" ||
    node.kind === "object" ||
    (node.kind === "binary" && node.operator === "+") ||
    (node.kind === "call" && BUILDERS.has(node.name));
  return builds || childrenOf(node).some(buildsValues);
}
