// Which rules and code tables a webhook's fields name, and which of them there are not. Must find every place where an
// expression may stand that is about events: what is in use cannot be deleted.
import { type ErrorDetail, nearestNames } from "@posthorn/contract";
import { type FilterSettings, filterSourcesOf } from "../expressions/dialects.ts";
import { ExpressionProblem } from "../expressions/errors.ts";
import { splitTemplateText } from "../expressions/template-text.ts";
import { type DefinitionKind, type DefinitionUse, usesOf } from "../expressions/uses.ts";
import type { Executor } from "../storage/pools.ts";
import { selectDefinitionNames } from "./definitions.sql.ts";

/** What of a webhook may name definitions, stored or as given. */
export type UsingFields = {
  readonly [Field in keyof FilterSettings]?: FilterSettings[Field] | null | undefined;
} & {
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | null | undefined;
  readonly transform?: { readonly template?: unknown } | null | undefined;
  readonly perEvent?: Readonly<Record<string, object>> | null | undefined;
  readonly orderingKey?: string | true | null | undefined;
  readonly batchSettings?: WithKey | null | undefined;
  readonly coalesce?: WithKey | null | undefined;
};
type WithKey = { readonly key?: string | null | undefined };

/** A use, and the field in which it stands. */
export interface FieldUse extends DefinitionUse {
  readonly field: string;
}

/** Names by kind. */
export type DefinitionNames = Readonly<Record<DefinitionKind, ReadonlySet<string>>>;

export const DEFINITION_WORDS: Readonly<Record<DefinitionKind, string>> = { rule: "rule", code_table: "code table" };

/** Every use in the fields given. */
export function usesIn(fields: UsingFields): readonly FieldUse[] {
  const { url, headers, transform, perEvent, orderingKey, batchSettings, coalesce } = fields;
  const { filters, conditions, conditionLogic } = fields;
  const settings = { filters, conditions, conditionLogic } as FilterSettings;
  return [
    ...filterSourcesOf(settings).flatMap(({ field, source }) => ofExpression(source, field)),
    ...(typeof orderingKey === "string" ? ofExpression(orderingKey, "orderingKey") : []),
    ...(batchSettings?.key ? ofExpression(batchSettings.key, "batchSettings.key") : []),
    ...(coalesce?.key ? ofExpression(coalesce.key, "coalesce.key") : []),
    ...ofTemplate(url, "url"),
    ...ofTemplate(headers, "headers"),
    ...ofTemplate(transform?.template, "transform.template"),
    ...Object.entries(perEvent ?? {}).flatMap(([type, own]) => ofTemplate(own, `perEvent[${JSON.stringify(type)}]`)),
  ];
}

/** What is wrong with uses: they name what there is not. */
export function undefinedUses(uses: readonly FieldUse[], names: DefinitionNames): ErrorDetail[] {
  return uses
    .filter(({ kind, name }) => !names[kind].has(name))
    .map(({ kind, name, field, position }) => {
      const word = DEFINITION_WORDS[kind];
      const nearest = nearestNames(name, names[kind], 1)[0];
      const list = kind === "rule" ? "GET /v1/rules" : "GET /v1/code-tables";
      const memberHint = kind === "rule" ? " A member of the event that is called rule is read as object.rule." : "";
      const hint =
        nearest === undefined ? `${list} lists those that there are.${memberHint}` : `Did you mean “${nearest}”?`;
      const message = `There is no ${word} “${name}”. ${hint}`;
      const reason = kind === "rule" ? "UNKNOWN_RULE" : "UNKNOWN_CODE_TABLE";
      // In a translated text nobody can look for a position.
      const place = /^filters\[\d+\]$/.test(field) ? { position } : {};
      return { field, message, code: "INVALID_EXPRESSION", reason, ...place };
    });
}

export async function readDefinitionNames(db: Executor, tenantUuid: string): Promise<DefinitionNames> {
  const rows = await selectDefinitionNames(db, tenantUuid);
  const ofKind = (kind: DefinitionKind) => new Set(rows.filter((row) => row.kind === kind).map(({ name }) => name));
  return { rule: ofKind("rule"), code_table: ofKind("code_table") };
}

/** The same inside the transaction that saves the fields: what was there when they were checked may be gone. */
export async function goneDefinitions(db: Executor, tenantUuid: string, fields: UsingFields): Promise<ErrorDetail[]> {
  const uses = usesIn(fields);
  return uses.length === 0 ? [] : undefinedUses(uses, await readDefinitionNames(db, tenantUuid));
}

function ofExpression(source: string, field: string): FieldUse[] {
  return usesOf(source).map((use) => ({ ...use, field }));
}

/** In any texts of a tree; media types and formats among them hold no expressions. */
function ofTemplate(tree: unknown, field: string): FieldUse[] {
  if (typeof tree === "string") return ofText(tree, field);
  if (typeof tree !== "object" || tree === null) return [];
  if (Array.isArray(tree)) return tree.flatMap((each, index) => ofTemplate(each, `${field}[${index}]`));
  return Object.entries(tree).flatMap(([name, each]) => ofTemplate(each, `${field}.${name}`));
}

function ofText(text: string, field: string): FieldUse[] {
  if (!text.includes("{{")) return [];
  try {
    return splitTemplateText(text).flatMap((part) =>
      typeof part === "string" ? [] : ofExpression(part.source, field),
    );
  } catch (error) {
    if (error instanceof ExpressionProblem) return [];
    throw error;
  }
}
