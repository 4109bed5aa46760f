// The field by which a webhook is restricted to a part of the organisation. What it means is in route/in-scope.ts.
import { z } from "zod";

export const MAX_SCOPE_NAMES = 1_000;
/** Ids of the platform, and names that people gave to teams. */
export const organisationId = z
  .string()
  .min(1)
  .max(200)
  .regex(/^[^\p{Cc}\p{Cs}]*$/u, "Use printable characters");

const names = z.array(organisationId).min(1, "Name at least one, or leave the list out").max(MAX_SCOPE_NAMES);

const actors = z
  .strictObject({
    users: names.optional(),
    employees: names.optional(),
    departments: names.optional(),
    teams: names.optional(),
  })
  .refine((lists) => Object.keys(lists).length > 0, "Name users, employees, departments or teams");

export const scopeField = z
  .strictObject({
    companies: names.optional(),
    branches: names.optional(),
    locations: names.optional(),
    actors: actors.optional(),
    sources: names.optional(),
  })
  .refine(
    (scope) => Object.keys(scope).length > 0,
    "Name companies, branches, locations, actors or sources; null is no restriction",
  );
