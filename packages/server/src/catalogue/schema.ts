// The shapes of the catalogue's files: the one truth for the loader and for catalogue/schema/*.schema.json.
// Must refuse what it does not know: a misspelt key in a data file would otherwise be lost without a word.
import { z } from "zod";

/** Of event types that Posthorn raises itself. */
export const OPERATIONS_MODULE = "Posthorn";

/** The modules of BigLedger that raise events, as administrators know them. */
export const MODULES = [
  "Sales & CRM",
  "Purchasing",
  "Financial Accounting",
  "Inventory & Warehouse",
  "E-Commerce",
  "Manufacturing",
  "HR & Payroll",
  "E-Invoice",
  "POS & Membership",
  "Core/Platform",
  OPERATIONS_MODULE,
] as const;

const SNAKE_CASE = /^[a-z][a-z0-9]*(_[a-z0-9]+)*$/;
/** Fixed by the published names: `resource.past_tense_verb`, deeper where a part of a resource changes. */
const CATALOGUE_NAME = /^[a-z][a-z0-9]*(_[a-z0-9]+)*(\.[a-z][a-z0-9]*(_[a-z0-9]+)*)+$/;
/** `status`, `inventory.currentStock`, `items.0.receivedQuantity`; no underscores, so never `__proto__`. */
const MEMBER_PATH = /^[a-z][A-Za-z0-9]*(\.([a-z][A-Za-z0-9]*|0|[1-9][0-9]*))*$/;
const MEMBER_NAME = /^[A-Za-z][A-Za-z0-9_]*$/;
const VERSION = /^\d+\.\d+\.\d+$/;

const sentence = z.string().min(10).max(300).regex(/\.$/, "must be a sentence that ends in a full stop");
const schemaHint = z.string().optional().describe("Path of the JSON Schema, for editors; not read.");
const objectName = z.string().regex(SNAKE_CASE).describe("A file of example-objects/, without its ending.");
const aliases = z.array(z.string().regex(SNAKE_CASE)).describe("More names for data.object in expressions.");
const embed = z
  .record(z.string().regex(/^[a-z][A-Za-z0-9]*$/), objectName)
  .describe("Members of data.object that hold another example object, by key.");
const referencePath = z
  .array(z.string().min(1))
  .min(2)
  .nullable()
  .describe("Where in data the business number stands, e.g. [object, invoiceNumber]; null when there is none.");
const anyObject = z.record(z.string(), z.unknown());

const contextMembers = {
  companyId: z.string().min(1),
  branchId: z.string().min(1).optional(),
  locationId: z.string().min(1).optional(),
  userId: z.string().min(1).nullable().describe("Null when no person did it."),
  source: z.string().regex(SNAKE_CASE).describe("The door it came through: web, mobile, pos, api, scheduler…"),
  ip: z.string().min(1).nullable().describe("From a documentation range (RFC 5737); null when no person did it."),
};

/** example-context.json: who and where, unless a resource or a type says otherwise. */
export const exampleContextFile = z
  .strictObject({ $schema: schemaHint, ...contextMembers })
  .meta({ title: "Context of the examples" });

const contextChanges = z
  .strictObject(contextMembers)
  .partial()
  .describe("What differs from example-context.json in the context.");

/** event-types/<resource>/resource.json */
export const resourceFile = z
  .strictObject({
    $schema: schemaHint,
    name: z.string().regex(SNAKE_CASE).describe("The first part of its event types, and the folder's name."),
    label: z.string().min(2).max(60).describe("What the console calls one of them."),
    module: z.enum(MODULES),
    description: sentence,
    aliases: aliases.default([]),
    fieldAliases: z
      .record(z.string().regex(MEMBER_NAME), z.string().regex(MEMBER_NAME))
      .default({})
      .describe("Truly different names for members of data.object (created_date → createdAt); not other case styles."),
    referencePath,
    object: objectName,
    embed: embed.default({}),
    context: contextChanges.optional(),
  })
  .meta({ title: "Resource of the event catalogue" });

/** event-types/<resource>/<rest of the name>.json */
export const eventTypeFile = z
  .strictObject({
    $schema: schemaHint,
    name: z.string().max(128).regex(CATALOGUE_NAME),
    since: z.string().regex(VERSION).describe("The first version of Posthorn that published it."),
    description: sentence.describe("What happened, in one sentence that an administrator understands."),
    raisedWhen: sentence.describe("The exact moment, and what tells it from its neighbours."),
    aliases: aliases.optional().describe("Further aliases, beside those of the resource."),
    referencePath: referencePath.optional().describe("Where it differs from the resource's."),
    example: z.strictObject({
      timestamp: z.iso.datetime().describe("When it happened, UTC."),
      object: objectName.optional().describe("Instead of the resource's object."),
      embed: embed.optional().describe("Instead of the resource's embed."),
      set: z
        .record(z.string().regex(MEMBER_PATH), z.unknown())
        .optional()
        .describe("What differs from the base object, by path: status, inventory.currentStock, items.0.quantity."),
      previous: anyObject
        .optional()
        .describe("data.previous_attributes: old values of what changed; absent on creation."),
      context: contextChanges.optional(),
    }),
  })
  .meta({ title: "Event type of the catalogue" });

/** example-objects/<name>.json: any JSON object. */
export const exampleObjectFile = anyObject;

export type ResourceFile = z.infer<typeof resourceFile>;
export type EventTypeFile = z.infer<typeof eventTypeFile>;
export type ExampleContextFile = z.infer<typeof exampleContextFile>;
export type ExampleObject = z.infer<typeof exampleObjectFile>;

const taggedFields = z
  .strictObject({
    personal: z.array(z.string().regex(MEMBER_PATH)).optional().describe("Tells who a person is, or how to reach one."),
    salary: z.array(z.string().regex(MEMBER_PATH)).optional().describe("What somebody is paid."),
    cost: z.array(z.string().regex(MEMBER_PATH)).optional().describe("What something costs the company."),
  })
  .describe("Members by tag.");

/** field-tags.json: what should not leave the company without being asked. */
export const fieldTagsFile = z
  .strictObject({
    $schema: schemaHint,
    names: taggedFields.describe("Members of these names, wherever they stand; case style makes no difference."),
    context: taggedFields.describe("Members of context."),
    resources: z
      .record(z.string().regex(SNAKE_CASE), taggedFields)
      .describe("By resource, paths in data.object; they hold as well where another object embeds the resource."),
  })
  .meta({ title: "Tagged fields of the event catalogue" });

export type FieldTagsFile = z.infer<typeof fieldTagsFile>;

/** The JSON Schemas (2020-12) that stand in catalogue/schema/ for editors, by file name. */
export function catalogueJsonSchemas(): Readonly<Record<string, unknown>> {
  return {
    "resource.schema.json": z.toJSONSchema(resourceFile, { io: "input" }),
    "event-type.schema.json": z.toJSONSchema(eventTypeFile, { io: "input" }),
    "example-context.schema.json": z.toJSONSchema(exampleContextFile, { io: "input" }),
    "field-tags.schema.json": z.toJSONSchema(fieldTagsFile, { io: "input" }),
  };
}
