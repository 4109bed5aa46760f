// Parts that the schemas of answers share: ids, times, maps of headers. Schemas describe; they never change a value.
import { ID_PREFIXES, type IdKind } from "@posthorn/contract";
import { z } from "zod";

const EXAMPLE_UUID = "01KATEK0G3F3Q8T9W7M1N5V2XB";

/** An id of one kind, as @posthorn/contract writes it. */
export function idSchema(kind: IdKind): z.ZodString {
  const prefix = ID_PREFIXES[kind];
  return z
    .string()
    .regex(new RegExp(`^${prefix}_[0-7][0-9A-HJKMNP-TV-Z]{25}$`))
    .meta({ examples: [`${prefix}_${EXAMPLE_UUID}`] });
}

/** A time: ISO 8601, UTC, milliseconds. */
export const time = z.iso.datetime();

/** An event's id as receivers see it: ours, or the sender's own. */
export const publicEventId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/)
  .meta({ description: "What receivers see as `webhook-id`: ours (`evt_…`), or the `id` that the sender gave." });

/** The webhook-id and the type of an event, where something else is about it. */
export const eventTypeName = z.string().meta({ description: "The event type.", examples: ["invoice.paid"] });

/** Header names and values; values that are secret are masked. */
export const headerMap = z.record(z.string(), z.string()).meta({ description: "Secret values show as `********`." });
