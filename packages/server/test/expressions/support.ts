// What the expression tests share: evaluating one text against plain values.
import { compileExpression, type Program } from "../../src/expressions/compile.ts";
import { type ExpressionError, ExpressionFault } from "../../src/expressions/errors.ts";
import { type EventScopeInput, eventScope } from "../../src/expressions/event-scope.ts";
import { parsePayload } from "../../src/expressions/payload.ts";
import type { FieldAliases, Scope } from "../../src/expressions/scope.ts";
import { ABSENT, ownMember, type Value, type ValueObject } from "../../src/expressions/values.ts";

export function programOf(source: string): Program {
  const compiled = compileExpression(source);
  if (!compiled.ok) throw new Error(`${source}: ${JSON.stringify(compiled.error)}`);
  return compiled.program;
}

export function errorOf(source: string): ExpressionError {
  const compiled = compileExpression(source);
  if (compiled.ok) throw new Error(`compiled, although it should not: ${source}`);
  return compiled.error;
}

/** A scope whose root names are the own members of an object, without resource rules. */
export function scopeOf(roots: ValueObject, fieldAliases: FieldAliases = {}): Scope {
  return { fieldAliases, lookup: (name) => ownMember(roots, name) };
}

export function evaluate(
  source: string,
  roots: ValueObject = {},
  fieldAliases: FieldAliases = {},
): Value | ExpressionFault {
  return programOf(source).evaluate(scopeOf(roots, fieldAliases));
}

/** Roots from JSON text, numbers exact. */
export function fromJson(text: string): ValueObject {
  return parsePayload(text, { exactNumbers: true }) as ValueObject;
}

export function salesOrderScope(data: Value, changes: Partial<EventScopeInput> = {}): Scope {
  return eventScope({
    event: { id: "evt_1", type: "sales_order.updated", timestamp: "2026-11-01T08:00:00Z", livemode: true },
    data,
    context: { companyId: "company_1" },
    resource: { name: "sales_order", aliases: ["order"], fieldAliases: { created_date: "createdAt" } },
    ...changes,
  });
}

/** A readable form of a result, for tables of cases. */
export function shown(value: Value | ExpressionFault): string {
  if (value === ABSENT) return "absent";
  if (value instanceof ExpressionFault) return `fault ${value.code}`;
  return JSON.stringify(value, (_, inner) =>
    inner instanceof Object && "decimal" in inner ? `exact ${inner.text}` : inner,
  );
}

/** The best of three in processor time, so that only our own slowness counts and not what else runs here. */
export function bestMs(action: () => void): number {
  const times = [1, 2, 3].map(() => {
    const started = process.cpuUsage();
    action();
    const { user, system } = process.cpuUsage(started);
    return (user + system) / 1000;
  });
  return Math.min(...times);
}
