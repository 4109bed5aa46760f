// Webhooks in either form as YAML text. Placeholders are written [NAME]; a list that only looks like one is quoted.
import { Document, isScalar, isSeq, Scalar, visit, YAMLSeq } from "yaml";
import { Placeholder, type NamedSecret } from "./placeholder-names.ts";
import { PLACEHOLDER_NAME } from "./tree.ts";

/** Lines are never folded: an expression stays on its line. */
const LAYOUT = { lineWidth: 0, flowCollectionPadding: false } as const;

/** One file in the own form: a comment, then `webhooks:` and the list. */
export function writeOwnForm(webhooks: readonly Record<string, unknown>[], comment: string): string {
  const document = documentOf({ webhooks });
  const list = document.get("webhooks", true);
  if (isSeq(list)) for (const item of list.items.slice(1)) (item as { spaceBefore?: boolean }).spaceBefore = true;
  return `${commentLines(comment)}\n${document.toString(LAYOUT)}`;
}

/** One file in the printed form: a comment, then a document for each webhook, its sections set apart as printed. */
export function writePrintedForm(webhooks: readonly Record<string, unknown>[], comment: string): string {
  const documents = webhooks.map((webhook) => {
    const document = documentOf(webhook);
    visit(document, {
      Pair(_, pair, path) {
        // Sections are what stands at the top and after the address.
        const opens = isScalar(pair.key) && SET_APART.has(String(pair.key.value));
        if (path.length === 2 && opens) (pair.key as Scalar).spaceBefore = true;
      },
    });
    return document.toString(LAYOUT);
  });
  return `${commentLines(comment)}\n${documents.map((text) => `---\n${text}`).join("\n")}`;
}

const SET_APART = new Set(["Event Triggers", "Payload Format", "Filters", "Retry Policy", "Security Settings"]);

/** Lists what has to be given, in columns. */
export function secretsComment(secrets: readonly NamedSecret[]): string {
  const width = Math.max(0, ...secrets.map(({ name }) => name.length));
  return secrets.map(({ name, meaning }) => `  ${name.padEnd(width)}  ${meaning}`).join("\n");
}

function documentOf(value: unknown): Document {
  // Without anchors: the same list twice is written twice.
  const document = new Document(null, { aliasDuplicateObjects: false });
  document.contents = nodeOf(document, value) as never;
  return document;
}

function nodeOf(document: Document, value: unknown): unknown {
  if (value instanceof Placeholder) return flowList(document, value.name, Scalar.PLAIN);
  if (Array.isArray(value)) {
    const [only] = value as unknown[];
    if (value.length === 1 && typeof only === "string" && PLACEHOLDER_NAME.test(only)) {
      return flowList(document, only, Scalar.QUOTE_DOUBLE);
    }
    const list = new YAMLSeq();
    for (const item of value) list.items.push(nodeOf(document, item));
    list.flow = value.length === 0;
    return list;
  }
  if (typeof value === "object" && value !== null) {
    const map = document.createNode({}) as unknown as { items: unknown[] };
    for (const [key, member] of Object.entries(value))
      map.items.push(document.createPair(key, nodeOf(document, member)));
    return map;
  }
  return document.createNode(value);
}

function flowList(document: Document, text: string, type: Scalar.Type): YAMLSeq {
  const item = document.createNode(text) as Scalar;
  item.type = type;
  const list = new YAMLSeq();
  list.items.push(item);
  list.flow = true;
  return list;
}

function commentLines(comment: string): string {
  return comment.replaceAll(/^(?=.)/gm, "# ").replaceAll(/^$/gm, "#");
}
