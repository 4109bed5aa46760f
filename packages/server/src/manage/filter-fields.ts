// Which events a webhook hears of: filters as expressions or as a map, and conditions. Shapes and limits; what they mean
// is in expressions/dialects.ts. Must refuse here all that routing could not evaluate.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { compileExpression } from "../expressions/compile.ts";
import {
  CONDITION_LOGICS,
  CONDITION_OPERATORS,
  type FilterSettings,
  MAX_CONDITION_DEPTH,
  MAX_CONDITIONS,
  MAX_FIELD_LENGTH,
  MAX_LISTED_VALUES,
  MAX_VALUE_LENGTH,
  translateFilters,
  unknownOperator,
} from "../expressions/dialects.ts";

/** Expressions in the list, or paths in the map. */
export const MAX_FILTERS = 50;

const plain = z.union([z.string().max(MAX_VALUE_LENGTH), z.number(), z.boolean(), z.null()], {
  error: `Expected a text of at most ${MAX_VALUE_LENGTH} characters, a number, true, false or null.`,
});
const listed = z.array(plain).max(MAX_LISTED_VALUES);
const bound = z.union([z.number(), z.string().max(MAX_VALUE_LENGTH)], { error: "Expected a number or a text." });
const range = z.strictObject({ min: bound.optional(), max: bound.optional() });

const map = z
  .record(z.string().max(MAX_FIELD_LENGTH), z.union([plain, listed.min(1, "Name at least one value"), range]))
  .refine((paths) => Object.keys(paths).length <= MAX_FILTERS, `At most ${MAX_FILTERS} paths`);

/** Zod leaves out a member of this name, and a filter must not go missing: less of it lets more events pass. */
function refuseLostName(value: unknown, context: z.RefinementCtx): unknown {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__")) {
    context.addIssue({ code: "custom", message: "`__proto__` alone is no path. Write object.__proto__." });
  }
  return value;
}

export const filtersField = z.preprocess(refuseLostName, z.union([z.array(z.string().min(1)).max(MAX_FILTERS), map]));

const comparison = {
  field: z.string().min(1).max(MAX_FIELD_LENGTH).optional().meta({ description: "A path: `invoice.items.sku`." }),
  operator: z.enum(CONDITION_OPERATORS, { error: ({ input }) => unknownOperator(input) }).optional(),
  value: z
    .union([plain, listed])
    .optional()
    .meta({ description: "What it is compared with; `in` and `nin` take a list." }),
};
const logic = z.enum(CONDITION_LOGICS, { error: "Expected AND or OR." });

/** Bounded here, before anything walks into them: each level is a schema of its own. */
function conditionAt(depth: number): z.ZodType {
  const inner =
    depth < MAX_CONDITION_DEPTH
      ? conditionAt(depth + 1)
      : z.never({ error: `Groups stand at most ${MAX_CONDITION_DEPTH - 1} deep inside one another.` });
  return z.strictObject({
    ...comparison,
    conditions: z.array(inner).max(MAX_CONDITIONS).optional().meta({ description: "Of a group, instead of a field." }),
    conditionLogic: logic.optional().meta({ description: "Of a group: AND unless it says OR." }),
  });
}

export const conditionsField = z.array(conditionAt(1) as z.ZodType<ConditionInput>).max(MAX_CONDITIONS);
export const conditionLogicField = logic;

type ConditionInput = NonNullable<FilterSettings["conditions"]>[number];

/** Everything wrong with filters and conditions: paths, values that an operator does not take, expressions. */
export function checkFilters(settings: FilterSettings): ErrorDetail[] {
  const translation = translateFilters(settings);
  if (!translation.ok) {
    return translation.problems.map(({ field, message }) => ({ field, message, code: "INVALID_VALUE" }));
  }
  return translation.sources.flatMap(({ field, source }) => checkSource(source, field));
}

function checkSource(source: string, field: string): ErrorDetail[] {
  const compiled = compileExpression(source);
  if (compiled.ok) return [];
  const { code: reason, message, position, hint } = compiled.error;
  const text = hint === undefined ? message : `${message} ${hint}`;
  // In a translated text nobody can look for a position.
  const place = /^filters\[\d+\]$/.test(field) ? { position } : {};
  return [{ field, message: text, code: "INVALID_EXPRESSION", reason, ...place }];
}
