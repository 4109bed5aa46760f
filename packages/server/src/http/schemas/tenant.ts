// Tenants and companies as the API shows them.
import { z } from "zod";
import { createdApiKey } from "./api-key.ts";
import { idSchema, time } from "./common.ts";

export const RETENTION_DAYS = [7, 30, 90, 400, 3_650] as const;

export const companyRecord = z
  .object({ id: z.string().meta({ examples: ["company_default"] }), name: z.string(), createdAt: time })
  .meta({ id: "Company", description: "A company of a tenant." });

export const deletedCompany = z
  .object({ id: z.string(), deleted: z.literal(true) })
  .meta({ id: "DeletedCompany", description: "A company that is gone." });

const own = {
  id: idSchema("tenant"),
  name: z.string(),
  captureLimitPerSecond: z.int().nullable().meta({ description: "Events a second; null for no limit." }),
  retentionDays: z
    .literal([...RETENTION_DAYS])
    .meta({ description: "How long new events and their history are kept." }),
  unknownEventTypes: z
    .enum(["refused", "open"])
    .meta({ description: "What becomes of events whose type is neither published nor registered." }),
  administratorEmail: z
    .string()
    .nullable()
    .meta({ description: "Who gets the digests of operational events unless others are chosen." }),
  timeZone: z.string().meta({ description: "On which clock digests say times.", examples: ["Asia/Kuala_Lumpur"] }),
  createdAt: time,
};

export const tenantRecord = z.object(own).meta({ id: "Tenant", description: "A tenant and its settings." });

export const createdTenant = z
  .object({ ...own, company: companyRecord, apiKey: createdApiKey })
  .meta({ id: "CreatedTenant", description: "A new tenant with its first company and its first administrator's key." });
