// Rules and code tables as the API takes and shows them.
import { z } from "zod";
import { isReservedWord } from "../../expressions/words.ts";
import { idSchema, time } from "./common.ts";

// biome-ignore lint/suspicious/noControlCharactersInRegex: line breaks and tabs are the ones allowed
const TEXT = /^(?:[\t\n\r]|[^\p{Cc}\p{Cs}])*$/u;

export const DEFINITION_NAME = /^[a-z][a-z0-9_]{0,62}$/;

/** As it stands in expressions. */
export const definitionName = z
  .string()
  .regex(DEFINITION_NAME, "Expected small letters, digits and _, a letter first, up to 63 of them: large_order")
  .refine((name) => !isReservedWord(name), "This word has a meaning of its own in expressions. Choose another name");

const about = {
  description: z.string().min(1).max(500).regex(TEXT, "Use printable characters").nullable().optional(),
  owner: z
    .string()
    .min(1)
    .max(200)
    .regex(TEXT, "Use printable characters")
    .meta({ description: "Who decides what it says: a person or a department.", examples: ["Sales Operations"] })
    .nullable()
    .optional(),
};
const date = (description: string) => z.iso.datetime({ offset: true }).meta({ description }).nullable().optional();
const expression = z
  .string()
  .min(1)
  .meta({ description: "What it says of an event; it may read code tables, and no other rule." });
const dates = {
  validFrom: date("From then on; before it the rule is false. Held against the event's own time."),
  validUntil: date("Until then, and not then; after it the rule is false."),
};
/** Zod leaves out a member of this name, and no entry may go missing. */
function refuseLostName(value: unknown, context: z.RefinementCtx): unknown {
  if (typeof value === "object" && value !== null && Object.hasOwn(value, "__proto__")) {
    context.addIssue({ code: "custom", message: "`__proto__` cannot be a code." });
  }
  return value;
}
const entry = z.union([z.string().max(1_000), z.number(), z.boolean()], {
  error: "Expected a text of at most 1,000 characters, a number, true or false.",
});
const entries = z
  .preprocess(refuseLostName, z.record(z.string().min(1).max(200), entry))
  .meta({ description: "What each code stands for.", examples: [{ "SST-6": "GST06", "SST-8": "GST08" }] });

export const ruleToCreate = z.strictObject({ name: definitionName, expression, ...about, ...dates }).meta({
  id: "RuleToCreate",
  description: "A business rule.",
  examples: [{ name: "large_order", expression: "order.total > 10000", owner: "Sales Operations" }],
});
export const ruleChange = z.strictObject({ expression: expression.optional(), ...about, ...dates }).meta({
  id: "RuleChange",
  description: "Fields given are replaced, the rest stay, `null` takes one away.",
  examples: [{ expression: "order.total > 25000" }],
});
export const codeTableToCreate = z.strictObject({ name: definitionName, entries, ...about }).meta({
  id: "CodeTableToCreate",
  description: "A code table.",
  examples: [{ name: "tax", entries: { "SST-6": "GST06" }, owner: "Finance" }],
});
export const codeTableChange = z.strictObject({ entries: entries.optional(), ...about }).meta({
  id: "CodeTableChange",
  description: "Fields given are replaced as a whole, the rest stay, `null` takes one away.",
  examples: [{ entries: { "SST-6": "GST06", "SST-8": "GST08" } }],
});

const shownAbout = { description: z.string().nullable(), owner: z.string().nullable() };
const shownRule = {
  expression: z.string(),
  ...shownAbout,
  validFrom: z.string().nullable(),
  validUntil: z.string().nullable(),
};
const shownTable = { entries: z.record(z.string(), entry), ...shownAbout };
const user = z.union([
  z.object({
    type: z.literal("webhook"),
    id: idSchema("webhook"),
    fields: z.array(z.string()).meta({ description: "Where it stands there.", examples: [["filters[0]"]] }),
  }),
  z.object({ type: z.enum(["rule", "route"]), name: z.string() }),
]);
const state = {
  version: z.int().positive(),
  createdAt: time,
  updatedAt: time,
  usedBy: z
    .array(user)
    .meta({ description: "Webhooks of the key's mode, and rules that read a code table; up to 100." }),
  usedByCount: z.int().nonnegative(),
};
const period = {
  version: z.int().positive(),
  createdAt: time,
  createdBy: z.string().meta({ description: "The key that made it." }),
  fromConfigVersion: z
    .int()
    .positive()
    .meta({ description: "The configuration version with which this one began to hold; the trail says who made it." }),
  toConfigVersion: z.int().nullable().meta({ description: "It was in force before this one; null: it still is." }),
};
const name = z.string();

export const ruleRecord = z
  .object({ name, ...shownRule, ...state })
  .meta({ id: "Rule", description: "A business rule, and who uses it." });
export const ruleVersion = z
  .object({ ...period, ...shownRule })
  .meta({ id: "RuleVersion", description: "What a rule said for a while." });
export const deletedRule = z
  .object({ name, deleted: z.literal(true) })
  .meta({ id: "DeletedRule", description: "A rule that is gone; its versions stay." });
export const codeTableRecord = z
  .object({ name, ...shownTable, ...state })
  .meta({ id: "CodeTable", description: "A code table, and who uses it." });
export const codeTableVersion = z
  .object({ ...period, ...shownTable })
  .meta({ id: "CodeTableVersion", description: "What a code table held for a while." });
export const deletedCodeTable = z
  .object({ name, deleted: z.literal(true) })
  .meta({ id: "DeletedCodeTable", description: "A code table that is gone; its versions stay." });
