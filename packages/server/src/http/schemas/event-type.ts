// Event types as the API shows them: the catalogue's, and those that a tenant registered.
import { z } from "zod";
import { FIELD_TAGS } from "../../storage/privacy.ts";
import { eventTypeName } from "./common.ts";

const own = {
  name: eventTypeName,
  resource: z.string().meta({ description: "What the event is about.", examples: ["invoice"] }),
  module: z.string().meta({ description: "The module that raises it; only in the catalogue." }).optional(),
  description: z.string().nullable(),
  raisedWhen: z.string().optional(),
  since: z.string().meta({ description: "The first version that had it." }).optional(),
  referencePath: z.array(z.string()).nullable().optional(),
  registered: z.boolean().meta({ description: "True for a type that the tenant registered itself." }),
};

export const listedEventType = z
  .object(own)
  .meta({ id: "ListedEventType", description: "An event type without its example." });

export const eventTypeRecord = z
  .object({
    ...own,
    example: z.unknown().meta({ description: "An event that can be published as it is." }),
    taggedFields: z
      .array(z.object({ path: z.string(), tag: z.enum(FIELD_TAGS) }))
      .meta({ description: "Fields of the example that a webhook's `privacy` can drop or mask by their tag." })
      .optional(),
  })
  .meta({ id: "EventType", description: "An event type with an example." });

export const deletedEventType = z
  .object({ name: eventTypeName, deleted: z.literal(true) })
  .meta({ id: "DeletedEventType", description: "A registered event type that is gone." });
