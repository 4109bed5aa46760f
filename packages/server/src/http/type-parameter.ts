// `?type=` on lists: an event type or a pattern, in the form that statements take.
import { z } from "zod";
import { isEventTypeName } from "../catalogue/pattern.ts";

/** `isPrefix`: everything that begins with `text`, which then ends in a full stop. Null: every type. */
export type TypeFilter = { readonly text: string; readonly isPrefix: boolean } | null;

export const TYPE_PARAMETER = z
  .string()
  .refine(
    (text) => text === "*" || isEventTypeName(text.endsWith(".*") ? text.slice(0, -2) : text),
    "Expected an event type such as invoice.paid, a pattern such as invoice.*, or *",
  )
  .meta({ description: "An event type, `invoice.*` or `*`.", examples: ["invoice.paid"] });

export function typeFilter(pattern: string | undefined): TypeFilter {
  if (pattern === undefined || pattern === "*") return null;
  return pattern.endsWith(".*") ? { text: pattern.slice(0, -1), isPrefix: true } : { text: pattern, isPrefix: false };
}
