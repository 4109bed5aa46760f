// Snapshots as the API takes and shows them.
import { z } from "zod";
import { isEventTypeName } from "../../catalogue/pattern.ts";
import { idSchema, time } from "./common.ts";

export const DEFAULT_RECORDS_PER_SECOND = 50;
const MAX_RECORDS_PER_SECOND = 1_000;
/** Of one call. */
const MAX_RECORDS = 1_000;

export const snapshotToStart = z
  .strictObject({
    token: z
      .string()
      .regex(/^[\x21-\x7e]{1,100}$/, "Expected 1 to 100 printable characters without a blank")
      .meta({ description: "Your own name for it: under the same token the same snapshot goes on." }),
    event: z
      .string()
      .refine(isEventTypeName, "Expected an event type such as customer.created")
      .meta({ description: "The event type under which each record is delivered.", examples: ["customer.created"] }),
    recordsPerSecond: z
      .int()
      .min(1)
      .max(MAX_RECORDS_PER_SECOND)
      .default(DEFAULT_RECORDS_PER_SECOND)
      .meta({ description: `At most so many are delivered in a second; ${DEFAULT_RECORDS_PER_SECOND} when left out.` }),
  })
  .meta({
    id: "SnapshotToStart",
    description: "Records for the first load of a new system, for one webhook only.",
    examples: [{ token: "customers-2026-12-01", event: "customer.created" }],
  });

export const snapshotRecords = z
  .strictObject({
    offset: z.int().min(0).meta({
      description: "How many records came before the first of these. What is stored already is passed over.",
    }),
    records: z
      .array(z.record(z.string(), z.unknown()))
      .min(1)
      .max(MAX_RECORDS)
      .meta({ description: "Each becomes `data.object` of one event, byte for byte; in all up to 1 MiB." }),
  })
  .meta({
    id: "SnapshotRecords",
    description: "The next records of a snapshot, in their order.",
    examples: [{ offset: 0, records: [{ id: "cust_17", name: "Kedai Runcit Maju" }] }],
  });

export const snapshotView = z
  .object({
    id: idSchema("snapshot"),
    webhookId: idSchema("webhook"),
    token: z.string(),
    event: z.string(),
    state: z.enum(["running", "done", "cancelled", "failed"]),
    isComplete: z.boolean().meta({ description: "It was said that no more records come." }),
    received: z.int().min(0).meta({ description: "Records stored: the offset of the next." }),
    delivering: z
      .int()
      .min(0)
      .meta({ description: "Of these: deliveries that were made, in the order of the records." }),
    recordsPerSecond: z.int().min(1),
    problem: z.string().nullable().meta({ description: "Why it failed." }),
    createdBy: z.string(),
    createdAt: time,
    finishedAt: time.nullable(),
  })
  .meta({ id: "Snapshot", description: "A first load of a webhook's system, and how far it has come." });
