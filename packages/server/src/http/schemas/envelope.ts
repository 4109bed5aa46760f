// What stands around every answer: the house style of the published contract as schemas, for the reference.
import { z } from "zod";
import { idSchema, time } from "./common.ts";

export const metaSchema = z
  .object({ requestId: idSchema("request"), timestamp: time })
  .meta({ id: "Meta", description: "Tell the request id to whoever operates the server when you ask for help." });

export const paginationSchema = z
  .object({
    hasMore: z.boolean(),
    nextCursor: z
      .string()
      .nullable()
      .meta({ description: "Given back as `cursor` it continues where this page ends." }),
    limit: z.int().min(1),
  })
  .meta({ id: "Pagination", description: "Where a list goes on." });

const detailSchema = z
  .looseObject({
    field: z.string().meta({ description: "Such as `retryPolicy.maxRetries` or `events[2]`." }).optional(),
    message: z.string(),
    code: z.string(),
  })
  .meta({ id: "ErrorDetail", description: "One field's complaint." });

export const failureSchema = z
  .object({
    success: z.literal(false),
    error: z.object({
      code: z.string().meta({ description: "Stable: decide by it, not by the message." }),
      message: z.string(),
      details: z.array(detailSchema),
      requestId: idSchema("request"),
      timestamp: time,
      documentation: z.string().meta({ description: "Where the code is explained." }),
    }),
    meta: metaSchema,
  })
  .meta({ id: "Failure", description: "A refusal or a failure." });
