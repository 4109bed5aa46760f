// The values an expression works on: JSON values, exact numbers, and "absent".
// It must never look at an inherited property: a payload may hold members named `constructor` or `__proto__`.
import { ExactNumber } from "./numbers.ts";

/** What a missing member, a member of a non-object and an unknown name yield. It is not `null`, which is a JSON value. */
export const ABSENT: unique symbol = Symbol("absent");

export type ValueList = readonly Value[];
export type ValueObject = { readonly [key: string]: Value };
export type Value = typeof ABSENT | null | boolean | number | string | ExactNumber | ValueList | ValueObject;

/** True for a JSON object: not for `null`, lists and exact numbers, which JavaScript calls objects too. */
export function isObject(value: Value): value is ValueObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/** True for a JSON list. */
export function isList(value: Value): value is ValueList {
  return Array.isArray(value);
}

/** The object's own member with exactly this key, else ABSENT. */
export function ownMember(object: ValueObject, key: string): Value {
  const value: Value | undefined = object[key];
  return value !== undefined && Object.hasOwn(object, key) ? value : ABSENT;
}

/** Writes one own member. Plain assignment would change the prototype when the key is `__proto__`. */
export function setOwnMember(object: Record<string, Value>, key: string, value: Value): void {
  if (key === "__proto__") {
    Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
  } else {
    object[key] = value;
  }
}
