// What a webhook's own rules say of an answer: `onResponse` in its order, then `successWhen`, then the status. Pure;
// compiled once for each snapshot of a webhook. A rule that cannot be evaluated does not match, and says so.
import { parseDuration } from "../lib/duration.ts";
import { compileExpression, type Program } from "../expressions/compile.ts";
import { ExpressionFault } from "../expressions/errors.ts";
import { ExactNumber } from "../expressions/numbers.ts";
import { responseScope } from "../expressions/response-scope.ts";
import type { Scope } from "../expressions/scope.ts";
import { ABSENT, type Value } from "../expressions/values.ts";
import type { Responded, SendResult } from "../security/outbound/result.ts";
import type { ResponseAction, ResponseRuleSetting } from "../storage/response-rules.ts";
import { type Judged, type Outcome, outcomeOf } from "./decide.ts";

/** What of a webhook is asked. */
export interface ResponseRules {
  readonly successWhen: string | null;
  readonly onResponse: readonly ResponseRuleSetting[];
}

/** A rule that could not be evaluated; it did not match. */
export interface RuleWarning {
  /** `onResponse[0].when`, `successWhen`. */
  readonly rule: string;
  readonly code: string;
  readonly message: string;
}

export interface Judgement extends Judged {
  /** Which rule it was, or what failed in the network. */
  readonly code: string | null;
  readonly extracted: Readonly<Record<string, string>> | null;
  readonly warnings: readonly RuleWarning[] | null;
}

interface CompiledRule {
  readonly setting: ResponseRuleSetting;
  readonly when: Program | null;
  readonly after: Program | null;
  readonly extract: readonly (readonly [string, Program])[];
}
interface CompiledRules {
  readonly rules: readonly CompiledRule[];
  readonly successWhen: Program | null;
}

/** Of an answer's body, for rules to read: all that is read of it at all. */
export const JUDGED_BODY_BYTES = 64 * 1024;
/** Of an answer's body, with the attempt. */
const KEPT_BODY_BYTES = 16 * 1024;
const LONGEST_AFTER_MS = 7 * 24 * 3_600_000;
const MAX_EXTRACTED_LENGTH = 500;

const compiledRules = new WeakMap<ResponseRules, CompiledRules>();

/** Whether answers to this webhook are judged by rules at all: then more of their bodies has to be kept. */
export function hasResponseRules({ successWhen, onResponse }: ResponseRules): boolean {
  return successWhen !== null || onResponse.length > 0;
}

/** Rules may have been given more of the body than is kept with the attempt. */
export function excerptOf(result: SendResult): SendResult {
  if (result.kind !== "responded" || result.body.length <= KEPT_BODY_BYTES) return result;
  return { ...result, body: result.body.subarray(0, KEPT_BODY_BYTES), bodyTruncated: true };
}

export function judge(webhook: ResponseRules, result: SendResult): Judgement {
  const { outcome, code } = outcomeOf(result);
  if (result.kind !== "responded" || !hasResponseRules(webhook)) {
    return { outcome, code, action: null, afterMs: null, extracted: null, warnings: null };
  }
  return new Judging(result).judge(compiledOf(webhook), outcome);
}

class Judging {
  readonly #scope: Scope;
  readonly #result: Responded;
  readonly #warnings: RuleWarning[] = [];
  readonly #extracted: Record<string, string> = {};

  constructor(result: Responded) {
    this.#result = result;
    this.#scope = responseScope(result);
  }

  judge({ rules, successWhen }: CompiledRules, byStatus: Outcome): Judgement {
    for (const [index, rule] of rules.entries()) {
      const name = `onResponse[${index}]`;
      if (this.#evaluate(rule.when, `${name}.when`) !== true) continue;
      for (const [key, program] of rule.extract) {
        const text = textOf(this.#evaluate(program, `${name}.extract.${key}`));
        if (text !== null) this.#extracted[key] = text;
      }
      const { then } = rule.setting;
      if (then === undefined) continue;
      const outcome = then === "delivered" ? "delivered" : "rejected_by_rule";
      return this.#judged(outcome, name, then, then === "retry" ? this.#afterMs(rule, name) : null);
    }
    if (successWhen === null) return this.#judged(byStatus, null, null, null);
    if (this.#evaluate(successWhen, "successWhen") === true)
      return this.#judged("delivered", "successWhen", "delivered", null);
    return byStatus === "delivered"
      ? this.#judged("rejected_by_rule", "successWhen", null, null)
      : this.#judged(byStatus, null, null, null);
  }

  #judged(outcome: Outcome, code: string | null, action: ResponseAction | null, afterMs: number | null): Judgement {
    return {
      outcome,
      code,
      action,
      afterMs,
      extracted: Object.keys(this.#extracted).length === 0 ? null : this.#extracted,
      warnings: this.#warnings.length === 0 ? null : this.#warnings,
    };
  }

  #evaluate(program: Program | null, rule: string): Value {
    if (program === null) {
      this.#warnings.push({ rule, code: "EVALUATION_FAILED", message: "The expression no longer compiles." });
      return ABSENT;
    }
    const value = program.evaluate(this.#scope);
    if (value instanceof ExpressionFault) {
      this.#warnings.push({ rule, code: value.code, message: value.message });
      return ABSENT;
    }
    if (value === ABSENT && this.#result.bodyTruncated) {
      const message = "It had no value, and the answer's body was cut off, so that nothing of it could be read.";
      this.#warnings.push({ rule, code: "BODY_CUT_OFF", message });
    }
    return value;
  }

  #afterMs(rule: CompiledRule, name: string): number | null {
    const { after } = rule.setting;
    if (after === undefined) return null;
    if (typeof after === "number") return after * 1_000;
    const seconds = secondsOf(this.#evaluate(rule.after, `${name}.after`));
    if (seconds !== null) return Math.min(LONGEST_AFTER_MS, seconds * 1_000);
    const message = "It gave no length of time (seconds, or a text such as 90s), so the policy's pause is kept.";
    this.#warnings.push({ rule: `${name}.after`, code: "EVALUATION_FAILED", message });
    return null;
  }
}

function compiledOf(webhook: ResponseRules): CompiledRules {
  let compiled = compiledRules.get(webhook);
  if (compiled === undefined) {
    compiled = {
      successWhen: webhook.successWhen === null ? null : programOf(webhook.successWhen),
      rules: webhook.onResponse.map((setting) => ({
        setting,
        when: programOf(setting.when),
        after: typeof setting.after === "string" ? programOf(setting.after) : null,
        extract: Object.entries(setting.extract ?? {}).flatMap(([key, source]) => {
          const program = programOf(source);
          return program === null ? [] : [[key, program] as const];
        }),
      })),
    };
    compiledRules.set(webhook, compiled);
  }
  return compiled;
}

/** Checked when it was saved: only another version of this program can have let a broken one through. */
function programOf(source: string): Program | null {
  const compilation = compileExpression(source);
  return compilation.ok ? compilation.program : null;
}

function textOf(value: Value): string | null {
  if (typeof value === "string") return kept(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return value instanceof ExactNumber ? kept(value.text) : null;
}

/** A text column takes no U+0000, and nobody needs a novel as a reference. */
function kept(text: string): string {
  return text.replaceAll("\u0000", "\ufffd").slice(0, MAX_EXTRACTED_LENGTH);
}

function secondsOf(value: Value): number | null {
  const seconds = typeof value === "string" ? (parseDuration(value) ?? Number(value.trim() || "x")) : value;
  return typeof seconds === "number" && seconds >= 0 ? seconds : null;
}
