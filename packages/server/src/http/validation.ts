// Input against its schema, and what is wrong with it told field by field: unknown names come with the nearest known
// one, known ones that are not built yet are refused by name. Must never echo a value: it may be a secret.
import { type ErrorDetail, nearestNames } from "@posthorn/contract";
import { z } from "zod";
import { type Failure, fieldFailure } from "./answer.ts";
import type { FieldHints } from "./route-entry.ts";

export type Validated =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly failure: Failure };

type Path = readonly PropertyKey[];

/** Checks one input and gives back what the schema makes of it. */
export function validate(schema: z.ZodType, input: unknown, hints: FieldHints = {}): Validated {
  const result = schema.safeParse(input);
  if (result.success) return { ok: true, value: result.data };
  const details = result.error.issues.flatMap((issue) => detailsOf(issue, schema, input, hints));
  return { ok: false, failure: fieldFailure(details) };
}

function detailsOf(issue: z.core.$ZodIssue, schema: z.ZodType, input: unknown, hints: FieldHints): ErrorDetail[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => unknownField(issue.path, key, schema, hints));
  }
  const field = fieldName(issue.path);
  const named = field === "" ? {} : { field };
  if (issue.code === "invalid_union") {
    const value = valueAt(input, issue.path);
    if (typeof value === "string" && ownMember(hints.notYetValues, hintName(field, hints))?.includes(value)) {
      return [{ field, message: `\`${value}\` is not built yet.`, code: "FIELD_NOT_AVAILABLE_YET" }];
    }
    const branch = likeliestBranch(issue.errors);
    const moved = branch.map((each) => ({ ...each, path: [...issue.path, ...each.path] }) as z.core.$ZodIssue);
    if (moved.length > 0) return moved.flatMap((each) => detailsOf(each, schema, input, hints));
  }
  if (issue.code === "invalid_type" && valueAt(input, issue.path) === undefined) {
    // An unknown value may be of any type.
    const type = issue.expected === "nonoptional" ? "" : ` (${issue.expected})`;
    return [{ ...named, message: `This is required${type}.`, code: "MISSING_MEMBER" }];
  }
  if (issue.code === "invalid_type") {
    if (field === "") return [{ message: `Expected ${issue.expected}.`, code: "WRONG_TYPE" }];
    return [{ ...named, message: `Expected ${issue.expected}.`, code: "WRONG_TYPE", expected: issue.expected }];
  }
  return [{ ...named, message: sentence(issue.message), code: "INVALID_VALUE" }];
}

/** Of the forms that a value may have, the one that came furthest: a member is wrong in it, not the whole of it. */
function likeliestBranch(branches: readonly (readonly z.core.$ZodIssue[])[]): readonly z.core.$ZodIssue[] {
  const isInside = (issue: z.core.$ZodIssue): boolean => issue.path.length > 0 || issue.code === "unrecognized_keys";
  return branches.find((branch) => branch.every(isInside)) ?? branches[0] ?? [];
}

/** The name by which hints know a field: inside an element of the list that they are about. */
function hintName(field: string, { inListOf }: FieldHints): string {
  if (inListOf === undefined) return field;
  const element = /^\w+\[\d+\]\./.exec(field)?.[0];
  // Beside the list there are other fields; a hint about elements says nothing about them.
  return element?.startsWith(`${inListOf}[`) === true ? field.slice(element.length) : `.${field}`;
}

/** Own members only: `constructor` is a name that somebody may send. */
function ownMember<Value>(members: Readonly<Record<string, Value>> | undefined, name: string): Value | undefined {
  return members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined;
}

function unknownField(path: Path, key: string, schema: z.ZodType, hints: FieldHints): ErrorDetail {
  const field = fieldName([...path, key]);
  const name = hintName(field, hints);
  if (hints.notYet?.includes(name)) {
    return { field, message: "This field is not built yet. Leave it out for now.", code: "FIELD_NOT_AVAILABLE_YET" };
  }
  const readOnly = name === key ? ownMember(hints.readOnly, key) : undefined;
  if (readOnly !== undefined) return { field, message: readOnly, code: "READ_ONLY_FIELD" };
  const known = fieldsAt(schema, path);
  if (known.length === 0) return { field, message: "Nothing is taken here. Leave it out.", code: "UNKNOWN_FIELD" };
  const nearest = nearestNames(key, known, 3);
  const suggestion = nearest.length > 0 ? `Did you mean ${nearest.join(" or ")}?` : `Known here: ${known.join(", ")}.`;
  return { field, message: suggestion, code: "UNKNOWN_FIELD", nearest };
}

/** `retryPolicy.maxRetries`, `events[2]`. */
export function fieldName(path: Path): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else text += text === "" ? String(step) : `.${String(step)}`;
  }
  return text.slice(0, 200);
}

function valueAt(input: unknown, path: Path): unknown {
  let value = input;
  for (const step of path) {
    if (typeof value !== "object" || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** Names of the members that the schema knows at a path; none where it is not an object. */
function fieldsAt(schema: z.ZodType, path: Path): string[] {
  let current: z.ZodType | undefined = unwrapped(schema);
  for (const step of path) {
    if (current instanceof z.ZodObject) current = unwrapped(current.shape[String(step)] as z.ZodType | undefined);
    else if (current instanceof z.ZodArray) current = unwrapped(current.element as z.ZodType);
    else return [];
  }
  return memberNames(current);
}

/** Of an object, or of all the objects that a value may be. */
function memberNames(schema: z.ZodType | undefined): string[] {
  if (schema instanceof z.ZodObject) return Object.keys(schema.shape);
  if (!(schema instanceof z.ZodUnion)) return [];
  return [...new Set(schema.options.flatMap((option) => memberNames(unwrapped(option as z.ZodType))))];
}

function unwrapped(schema: z.ZodType | undefined): z.ZodType | undefined {
  let current = schema;
  while (current !== undefined) {
    if (current instanceof z.ZodOptional || current instanceof z.ZodNullable || current instanceof z.ZodDefault) {
      current = current.unwrap() as z.ZodType;
    } else if (current instanceof z.ZodPipe) current = current.in as z.ZodType;
    else return current;
  }
  return undefined;
}

function sentence(text: string): string {
  return text.endsWith(".") ? text : `${text}.`;
}
