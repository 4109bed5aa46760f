// Where an expression's names come from, and the one rule by which members are found.
// Every member access of the language goes through readMember: no second way may exist beside it.
import type { Evaluation } from "./limits.ts";
import { ABSENT, isObject, ownMember, type Value, type ValueObject } from "./values.ts";
import { otherSpelling } from "./spelling.ts";

/** Field names that an event type also answers to, such as `created_date` → `createdAt`. */
export type FieldAliases = Readonly<Record<string, string>>;

/** The root of business rules: `rule.large_order`. A member of the event of that name is read as `object.rule`. */
export const RULE_ROOT = "rule";

/** What expressions may use by name beside the event (definitions.ts). */
export interface ScopeDefinitions {
  /** A rule, to be run in any evaluation. It may leave macro variables behind: whoever runs it keeps their own. */
  rule(name: string): ((run: Evaluation) => Value) | undefined;
  table(name: string): ReadonlyMap<string, string | number | boolean> | undefined;
}

/** The names that an expression can read. */
export interface Scope {
  /** Applied to members at any depth, after both spellings of the written name. */
  readonly fieldAliases: FieldAliases;
  /** The value of a root name, ABSENT when there is none. Must not throw for any name. */
  lookup(name: string): Value;
  /** Rules and code tables; left out where there are none, as for answers of receivers. */
  readonly definitions?: ScopeDefinitions;
}

/** A member name with what it may also be called; made once, when an expression is compiled. */
export interface MemberName {
  readonly exact: string;
  readonly other: string | undefined;
}

/** The two spellings of a name, `customer_id` and `customerId`; `other` is undefined where there is only one. */
export function memberName(exact: string): MemberName {
  return { exact, other: otherSpelling(exact) };
}

/** A member of a value, ABSENT when the value is no object or has no such member under any of its names. */
export function readMember(value: Value, name: MemberName, aliases: FieldAliases): Value {
  return isObject(value) ? memberOf(value, name, aliases) : ABSENT;
}

/** A member of an object: exact spelling first, then the other spelling, then the event type's alias in both. */
export function memberOf(object: ValueObject, name: MemberName, aliases: FieldAliases): Value {
  const exact = ownMember(object, name.exact);
  if (exact !== ABSENT) return exact;
  if (name.other !== undefined) {
    const other = ownMember(object, name.other);
    if (other !== ABSENT) return other;
  }
  const alias = aliasOf(name, aliases);
  return alias === undefined ? ABSENT : inEitherSpelling(object, alias);
}

function aliasOf(name: MemberName, aliases: FieldAliases): string | undefined {
  if (Object.hasOwn(aliases, name.exact)) return aliases[name.exact];
  if (name.other !== undefined && Object.hasOwn(aliases, name.other)) return aliases[name.other];
  return undefined;
}

function inEitherSpelling(object: ValueObject, key: string): Value {
  const exact = ownMember(object, key);
  if (exact !== ABSENT) return exact;
  const other = otherSpelling(key);
  return other === undefined ? ABSENT : ownMember(object, other);
}
