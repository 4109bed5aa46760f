// What rules and code tables may hold, and what is wrong with it. Pure functions. Must refuse here all that routing could not
// evaluate: once it is stored, a rule decides over every webhook that names it.
import { hash } from "node:crypto";
import type { ErrorDetail } from "@posthorn/contract";
import { compileExpression } from "../expressions/compile.ts";
import { type DefinitionKind, usesOf } from "../expressions/uses.ts";
import { type DefinitionNames, undefinedUses } from "./definition-uses.ts";

type Body = Readonly<Record<string, unknown>>;

/** What one kind of definition is made of. */
export interface DefinitionBodies {
  readonly kind: DefinitionKind;
  /** So many has a tenant at most. */
  readonly limit: number;
  /** Everything wrong with a whole body of the right shape. */
  readonly problemsOf: (body: Body, names: DefinitionNames) => readonly ErrorDetail[];
  /** What the trail keeps of it. */
  readonly audited: (body: Body) => Record<string, unknown>;
}

/** All of them are in the memory of every node that serves the tenant. */
export const MAX_RULES = 500;
export const MAX_CODE_TABLES = 100;
export const MAX_ENTRIES = 10_000;
/** Characters of a table as JSON. */
export const MAX_TABLE_LENGTH = 512 * 1024;

export const RULE_BODIES: DefinitionBodies = {
  kind: "rule",
  limit: MAX_RULES,
  problemsOf: ruleProblems,
  audited: (body) => ({ ...body }),
};

export const CODE_TABLE_BODIES: DefinitionBodies = {
  kind: "code_table",
  limit: MAX_CODE_TABLES,
  problemsOf: ({ entries }) => tableProblems(entries as Body),
  // The versions hold every entry; the trail tells that they changed, and how many there are.
  audited: ({ entries, ...others }) => ({
    ...others,
    entryCount: Object.keys(entries as Body).length,
    entriesSha256: hash("sha256", JSON.stringify(entries), "hex"),
  }),
};

function ruleProblems(body: Body, names: DefinitionNames): ErrorDetail[] {
  const source = String(body["expression"]);
  const compiled = compileExpression(source);
  const field = "expression";
  if (!compiled.ok) {
    const { code: reason, message, position, hint } = compiled.error;
    const text = hint === undefined ? message : `${message} ${hint}`;
    return [{ field, message: text, code: "INVALID_EXPRESSION", reason, position }];
  }
  const uses = usesOf(source).map((use) => ({ ...use, field }));
  const inner = uses.find(({ kind }) => kind === "rule");
  if (inner !== undefined) {
    const message = `A rule cannot use another rule (“${inner.name}”): what a rule says must be read in one place. Write its expression here.`;
    return [{ field, message, code: "INVALID_EXPRESSION", reason: "RULE_IN_RULE", position: inner.position }];
  }
  return [...undefinedUses(uses, names), ...dateProblems(body)];
}

function dateProblems({ validFrom, validUntil }: Body): ErrorDetail[] {
  if (typeof validFrom !== "string" || typeof validUntil !== "string") return [];
  if (Date.parse(validFrom) < Date.parse(validUntil)) return [];
  const message = `It would never be valid: \`validUntil\` has to be later than \`validFrom\` (${validFrom}).`;
  return [{ field: "validUntil", message, code: "INVALID_VALUE" }];
}

function tableProblems(entries: Body): ErrorDetail[] {
  const refused = (message: string, field = "entries"): ErrorDetail[] => [{ field, message, code: "INVALID_VALUE" }];
  const count = Object.keys(entries).length;
  if (count > MAX_ENTRIES) return refused(`A code table has at most ${MAX_ENTRIES} entries; this one has ${count}.`);
  const { length } = JSON.stringify(entries);
  if (length > MAX_TABLE_LENGTH) {
    return refused(`A code table has at most ${MAX_TABLE_LENGTH} characters as JSON; this one has ${length}.`);
  }
  return Object.entries(entries).flatMap(([code, value]) =>
    typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
      ? refused("This number has more digits than are kept. Write it as a text.", `entries.${code}`)
      : [],
  );
}
