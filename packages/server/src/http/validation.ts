// Input against its schema, and what is wrong with it told field by field: unknown names come with the nearest known
// one, known ones that are not built yet are refused by name. Must never echo a value: it may be a secret.
import type { ErrorDetail } from "@posthorn/contract";
import { z } from "zod";
import { nearestNames } from "../lib/nearest.ts";
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
  if (issue.code === "invalid_type" && valueAt(input, issue.path) === undefined) {
    return [{ ...named, message: `This is required (${issue.expected}).`, code: "MISSING_MEMBER" }];
  }
  if (issue.code === "invalid_type" && hints.notYetAsObject?.includes(field) && isObject(valueAt(input, issue.path))) {
    const message = `The map form is not built yet. Expected ${issue.expected}.`;
    return [{ field, message, code: "FIELD_NOT_AVAILABLE_YET" }];
  }
  if (issue.code === "invalid_type") {
    if (field === "") return [{ message: `Expected ${issue.expected}.`, code: "WRONG_TYPE" }];
    return [{ ...named, message: `Expected ${issue.expected}.`, code: "WRONG_TYPE", expected: issue.expected }];
  }
  return [{ ...named, message: sentence(issue.message), code: "INVALID_VALUE" }];
}

function unknownField(path: Path, key: string, schema: z.ZodType, hints: FieldHints): ErrorDetail {
  const field = fieldName([...path, key]);
  if (path.length === 0 && hints.notYet?.includes(key)) {
    return { field, message: "This field is not built yet. Leave it out for now.", code: "FIELD_NOT_AVAILABLE_YET" };
  }
  // Own members only: `constructor` is a name that somebody may send.
  const readOnly = path.length === 0 && Object.hasOwn(hints.readOnly ?? {}, key) ? hints.readOnly?.[key] : undefined;
  if (readOnly !== undefined) return { field, message: readOnly, code: "READ_ONLY_FIELD" };
  const known = fieldsAt(schema, path);
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

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Names of the members that the schema knows at a path; none where it is not an object. */
function fieldsAt(schema: z.ZodType, path: Path): string[] {
  let current: z.ZodType | undefined = unwrapped(schema);
  for (const step of path) {
    if (current instanceof z.ZodObject) current = unwrapped(current.shape[String(step)] as z.ZodType | undefined);
    else if (current instanceof z.ZodArray) current = unwrapped(current.element as z.ZodType);
    else return [];
  }
  return current instanceof z.ZodObject ? Object.keys(current.shape) : [];
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
