// The field `privacy`: which tagged fields, and which others, are dropped or masked before anything is sent. Its shape, and
// what is wrong with it.
import { z } from "zod";
import type { Redaction } from "../lib/json/redact.ts";
import { FIELD_TAGS, type FieldTag } from "../storage/privacy.ts";

const MAX_FIELDS = 100;
/** `customer.taxNumber`: members of `data.object`, lists are walked through. */
const PATH = /^[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*){0,9}$/;

const REDACTIONS = ["drop", "mask"] as const satisfies readonly Redaction[];
export const redaction = z.enum(REDACTIONS);

const ofTags = Object.fromEntries(FIELD_TAGS.map((tag) => [tag, redaction.optional()])) as Record<
  FieldTag,
  z.ZodOptional<typeof redaction>
>;

export const privacyField = z
  .strictObject({
    ...ofTags,
    fields: z
      .record(z.string().max(200).regex(PATH, "Write a path inside the object, such as customer.taxNumber"), redaction)
      .refine((fields) => Object.keys(fields).length <= MAX_FIELDS, `At most ${MAX_FIELDS} fields`)
      .optional()
      .describe("Further fields, by their path inside the object."),
  })
  .refine(
    (setting) => Object.values(setting).some((value) => value !== undefined),
    "Say what becomes of personal, salary, cost or further fields, or leave it out",
  );
