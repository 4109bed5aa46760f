// The fields `successWhen` and `onResponse`: their shapes, and what is wrong with them. Must refuse at once what could
// never work: an expression that does not compile, or one that reads something else than the answer.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { compileExpression } from "../expressions/compile.ts";
import { usesOf } from "../expressions/uses.ts";
import { RESPONSE_ROOT } from "../expressions/response-scope.ts";
import type { MissingValue } from "../expressions/template.ts";
import { DURATION_PATTERN, parseDuration } from "../lib/duration.ts";
import { RESPONSE_ACTIONS, type ResponseRuleSetting } from "../storage/response-rules.ts";
import { type ConfigurationWarning, missingValueWarning } from "./transform.ts";

const MAX_RULES = 20;
const MAX_EXTRACTED = 10;
const LONGEST_AFTER_SECONDS = 7 * 86_400;
const NAME = /^[A-Za-z][A-Za-z0-9_]{0,39}$/;

const expression = z.string().min(1);
const rule = z.strictObject({
  when: expression.meta({ description: "An expression over `response.status`, `.headers` and `.body`." }),
  then: z.enum(RESPONSE_ACTIONS).optional().meta({ description: "Left out: the rule only extracts." }),
  after: z
    .union([z.number().min(0).max(LONGEST_AFTER_SECONDS), expression])
    .optional()
    .meta({ description: "Of `retry`: seconds, a text such as `10m`, or an expression that gives them." }),
  extract: z
    .record(z.string(), expression)
    .optional()
    .meta({ description: "Values to keep, by name; `externalId` can be searched for." }),
});

export const successWhenField = expression;
export const onResponseField = z.array(rule).min(1).max(MAX_RULES);

type GivenRule = z.output<typeof rule>;

export function checkSuccessWhen(source: string): ErrorDetail[] {
  return checkExpression("successWhen", source);
}

export function checkResponseRule(given: GivenRule, index: number): ErrorDetail[] {
  const field = `onResponse[${index}]`;
  const { when, then, after, extract } = given;
  const details = checkExpression(`${field}.when`, when);
  if (then === undefined && extract === undefined) {
    const message = "A rule needs `then`, `extract` or both; this one would do nothing.";
    details.push({ field, message, code: "INVALID_VALUE" });
  }
  if (after !== undefined && then !== "retry") {
    const message = "Only `then: retry` waits. Leave it out.";
    details.push({ field: `${field}.after`, message, code: "INVALID_VALUE" });
  } else if (typeof after === "string" && !DURATION_PATTERN.test(after)) {
    details.push(...checkExpression(`${field}.after`, after));
  } else if (typeof after === "string" && (parseDuration(after) as number) > LONGEST_AFTER_SECONDS) {
    details.push({ field: `${field}.after`, message: "Seven days are the most.", code: "INVALID_VALUE" });
  }
  const extracted = Object.entries(extract ?? {});
  if (extracted.length > MAX_EXTRACTED) {
    const message = `At most ${MAX_EXTRACTED} values are kept.`;
    details.push({ field: `${field}.extract`, message, code: "INVALID_VALUE" });
  }
  for (const [name, source] of extracted) {
    const member = `${field}.extract.${name.slice(0, 64)}`;
    if (NAME.test(name)) details.push(...checkExpression(member, source));
    else details.push({ field: member, message: "Use letters, digits and _ for its name.", code: "INVALID_VALUE" });
  }
  return details;
}

/** Rules as they are stored: lengths of time in seconds. */
export function responseRulesOf(given: readonly GivenRule[]): ResponseRuleSetting[] {
  return given.map(({ when, then, after, extract }) => {
    const seconds = typeof after === "string" ? (parseDuration(after) ?? after) : after;
    return {
      when,
      ...(then === undefined ? {} : { then }),
      ...(seconds === undefined ? {} : { after: seconds }),
      ...(extract === undefined ? {} : { extract }),
    };
  });
}

/** What an attempt says it could not do: find a value for a template, or evaluate a rule. */
export type AttemptWarning = MissingValue | { readonly rule: string; readonly code: string; readonly message: string };

export function attemptWarning(warning: AttemptWarning): ConfigurationWarning {
  if (!("rule" in warning)) return missingValueWarning(warning);
  return { code: "RULE_NOT_EVALUATED", field: warning.rule, message: warning.message };
}

function checkExpression(field: string, source: string): ErrorDetail[] {
  const compiled = compileExpression(source);
  if (!compiled.ok) {
    const { code: reason, message, position, hint } = compiled.error;
    const text = hint === undefined ? message : `${message} ${hint}`;
    return [{ field, message: text, code: "INVALID_EXPRESSION", reason, position }];
  }
  const foreign = [...compiled.program.roots].filter((root) => root !== RESPONSE_ROOT);
  if (foreign.length === 0) return usesOf(source).flatMap(({ position }) => noTables(field, position));
  const message = `Only \`response\` can be read here, with its status, headers and body; this reads \`${foreign[0]}\`.`;
  return [{ field, message, code: "INVALID_EXPRESSION", reason: "UNKNOWN_NAME" }];
}

function noTables(field: string, position: number): ErrorDetail[] {
  const message = "Code tables are for events: an answer is judged by what it says itself.";
  return [{ field, message, code: "INVALID_EXPRESSION", reason: "UNKNOWN_NAME", position }];
}
