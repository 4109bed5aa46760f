// Two CEL engines that nobody here wrote, each behind one function: source and variables in, plain value or error out.
// They must see the same variables as ours: whole numbers as CEL ints, others as doubles.
import { type CelInput, isCelError, isCelList, isCelMap, run } from "@bufbuild/cel";
import { Environment } from "@marcbachmann/cel-js";

/** What every engine answers with, once BigInts and their own containers are plain. */
export type Answer = null | boolean | number | string | Answer[] | { [key: string]: Answer };
export type Variables = Readonly<Record<string, Answer>>;

/** "absent" stands for ABSENT with us and for any evaluation error with the oracles. */
export const NO_VALUE = "absent";
export type Outcome = { readonly value: Answer } | typeof NO_VALUE;
/** An oracle refuses what its type checker does not like, before it looks at any value. */
export const REFUSED = "refused";
export type Oracle = (source: string, variables: Variables) => Outcome | typeof REFUSED;

/** A value as both oracles take it: whole numbers as int. */
function withInts(value: Answer): CelInput {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(withInts) as CelInput;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, withInts(member)])) as CelInput;
}

function plain(value: unknown): Answer {
  if (typeof value === "bigint") return Number(value);
  if (value === null || typeof value === "boolean" || typeof value === "number" || typeof value === "string")
    return value;
  if (Array.isArray(value)) return value.map(plain);
  if (isCelList(value)) return [...value].map(plain);
  if (isCelMap(value) || value instanceof Map)
    return Object.fromEntries([...value].map(([key, member]) => [String(key), plain(member)]));
  if (typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  throw new TypeError(`an oracle answered with a ${typeof value}`);
}

const environment = new Environment({ unlistedVariablesAreDyn: true, homogeneousAggregateLiterals: false });

export const celJs: Oracle = (source, variables) => {
  if (!environment.check(source).valid) return REFUSED;
  try {
    return { value: plain(environment.evaluate(source, withInts(variables as Answer) as Record<string, unknown>)) };
  } catch {
    return NO_VALUE;
  }
};

export const bufbuild: Oracle = (source, variables) => {
  try {
    const result = run(source, withInts(variables as Answer) as Record<string, CelInput>);
    return isCelError(result) ? NO_VALUE : { value: plain(result) };
  } catch {
    return NO_VALUE;
  }
};
