// Who and where: what is loaded, and what is shown of it.
import { z } from "zod";
import { organisationId } from "../../manage/scope-fields.ts";
import { ORGANISATION_KINDS } from "../../storage/organisation.ts";
import { time } from "./common.ts";

/** Of one request, all lists together. */
export const MAX_LOADED = 5_000;

const id = organisationId;
const name = z
  .string()
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "Use printable characters")
  .nullable()
  .optional();
const names = z.array(organisationId).max(100).optional();
const memberships = { departments: names, teams: names };

const company = z.strictObject({ id, name });
const branch = z.strictObject({ id, companyId: id.nullable().optional(), name });
const location = z.strictObject({ id, branchId: id.nullable().optional(), name });
const employee = z.strictObject({ id, name, ...memberships });
const user = z.strictObject({ id, employeeId: id.nullable().optional(), name, ...memberships });

export const organisationToLoad = z
  .strictObject({
    companies: z.array(company).max(MAX_LOADED).optional(),
    branches: z.array(branch).max(MAX_LOADED).optional(),
    locations: z.array(location).max(MAX_LOADED).optional(),
    employees: z.array(employee).max(MAX_LOADED).optional(),
    users: z.array(user).max(MAX_LOADED).optional(),
    asOf: z
      .string()
      .optional()
      .meta({ format: "date-time", description: "When it was so: what is known of later stays. Now unless given." }),
  })
  .meta({
    id: "OrganisationToLoad",
    description: "What to add or replace; whoever is not named stays, and so do members left out.",
    examples: [
      {
        branches: [{ id: "branch_kl", companyId: "company_default", name: "Kuala Lumpur" }],
        locations: [{ id: "loc_kl_store", branchId: "branch_kl" }],
        employees: [{ id: "emp_0087", departments: ["Sales"], teams: ["north"] }],
        users: [{ id: "user_4471", employeeId: "emp_0087" }],
      },
    ],
  });

export const organisationLoaded = z
  .object({
    changed: z.int().meta({ description: "New, or other than before." }),
    unchanged: z.int(),
    older: z.int().meta({ description: "Of these a later state was known already, and stays." }),
  })
  .meta({ id: "OrganisationLoaded", description: "What a load changed." });

export const organisationKind = z.enum(ORGANISATION_KINDS);

export const organisationRecord = z
  .object({
    kind: organisationKind,
    id: z.string().meta({ examples: ["branch_kl"] }),
    name: z.string().nullable(),
    parentId: z.string().nullable().meta({
      description: "Company of a branch, branch of a location, employee who is a user.",
    }),
    departments: z.array(z.string()),
    teams: z.array(z.string()),
    asOf: time.meta({ description: "When it was so: what is older changes nothing." }),
  })
  .meta({ id: "OrganisationEntry", description: "A company, branch, location, employee or user." });

export const removedEntry = z
  .object({ kind: organisationKind, id: z.string(), deleted: z.literal(true) })
  .meta({ id: "RemovedOrganisationEntry", description: "What is not known any more." });
