// The routes of tenants: all of them for an operator, one's own for an administrator. Deciding and storing is
// manage/tenants.ts.
import { parseId, uuidFromBytes, uuidFromId } from "@posthorn/contract";
import { z } from "zod";
import type { TenantChanged, TenantMade, Tenants } from "../../manage/tenants.ts";
import { type Answer, failure, success } from "../answer.ts";
import { captureLimitField, companyIdField, emailField, nameField, timeZoneField } from "../fields.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { createdTenant, RETENTION_DAYS, tenantRecord } from "../schemas/tenant.ts";
import { actorOf } from "./webhooks.ts";

const ownFields = {
  retentionDays: z
    .literal([...RETENTION_DAYS])
    .nullable()
    .optional(),
  unknownEventTypes: z.enum(["refused", "open"]).nullable().optional(),
  administratorEmail: emailField
    .nullable()
    .optional()
    .meta({ description: "Who gets the digests of operational events unless others are chosen." }),
  timeZone: timeZoneField.nullable().optional().meta({ description: "On which clock digests say times." }),
};
const operatorFields = { ...ownFields, captureLimitPerSecond: captureLimitField.nullable().optional() };
const creation = z
  .strictObject({
    name: nameField,
    ...operatorFields,
    company: z.strictObject({ id: companyIdField.optional(), name: nameField.optional() }).optional(),
  })
  .meta({
    id: "TenantToCreate",
    description: "A tenant with its first company.",
    examples: [{ name: "Acme", company: { id: "company_acme", name: "Acme Sdn Bhd" } }],
  });
const change = z.strictObject({ name: nameField.optional(), ...operatorFields }).meta({
  id: "TenantChange",
  description: "Fields given are replaced, the rest stay, `null` restores the default.",
  examples: [{ captureLimitPerSecond: 500 }],
});
const ownChange = z.strictObject(ownFields).meta({
  id: "OwnTenantChange",
  description: "What a tenant's administrator may change.",
  examples: [{ retentionDays: 400 }],
});
const setByPosthorn = "It is set by Posthorn. Leave it out.";
const hints = { readOnly: { id: setByPosthorn, createdAt: setByPosthorn } };
const ofTheOperator = "It is the operator's to set: PATCH /v1/tenants/{id} with a key that has the scope operator.";
const listQuery = z.strictObject({ ...PAGE_PARAMETERS, name: nameField.optional() });

export type TenantsFace = Pick<Tenants, "create" | "change" | "changeOwn" | "get" | "list" | "own">;

export function tenantRoutes(tenants: TenantsFace): OrdinaryRoute[] {
  const ofOperator = { scope: "operator", tag: "Tenants" } as const;
  const own = { scope: "admin", tag: "Tenants", path: "/tenants/current" } as const;
  return [
    route({
      ...ofOperator,
      method: "GET",
      path: "/tenants",
      summary: "List the tenants of this installation, newest first.",
      query: listQuery,
      answer: { status: 200, data: tenantRecord, isList: true },
      handle: (call) => list(tenants, call),
    }),
    route({
      ...ofOperator,
      method: "POST",
      path: "/tenants",
      // Its first key is a live one.
      needsLiveKey: true,
      summary: "Make a tenant with its first company and its first administrator's key, which is shown this once.",
      body: creation,
      hints,
      answer: { status: 201, data: createdTenant, headers: ["Location"] },
      errors: ["ALREADY_EXISTS"],
      handle: async (call) => answerOfMade(await tenants.create(actorOf(call), call.body)),
    }),
    route({
      ...own,
      method: "GET",
      summary: "Read the tenant of this key.",
      answer: { status: 200, data: tenantRecord },
      handle: async (call) => {
        const tenant = await tenants.own(actorOf(call));
        return tenant === null ? noTenant() : success(tenant);
      },
    }),
    route({
      ...own,
      method: "PATCH",
      summary: "Change the settings of the tenant of this key; null restores the default.",
      needsLiveKey: true,
      body: ownChange,
      hints: { readOnly: { ...hints.readOnly, name: ofTheOperator, captureLimitPerSecond: ofTheOperator } },
      answer: { status: 200, data: tenantRecord },
      handle: async (call) => answerOfChanged(await tenants.changeOwn(actorOf(call), call.body)),
    }),
    route({
      ...ofOperator,
      method: "GET",
      path: "/tenants/{id}",
      summary: "Read one tenant.",
      answer: { status: 200, data: tenantRecord },
      handle: (call) => withTenant(call, (uuid) => get(tenants, uuid)),
    }),
    route({
      ...ofOperator,
      method: "PATCH",
      path: "/tenants/{id}",
      summary: "Change a tenant's name, limit or settings; null restores the default.",
      needsLiveKey: true,
      body: change,
      hints,
      answer: { status: 200, data: tenantRecord },
      errors: ["ALREADY_EXISTS"],
      handle: (call) =>
        withTenant(call, async (uuid) => answerOfChanged(await tenants.change(actorOf(call), uuid, call.body))),
    }),
  ];
}

async function withTenant(call: Call, then: (uuid: string) => Promise<Answer>): Promise<Answer> {
  const bytes = parseId("tenant", call.params["id"] as string);
  return bytes === null ? noTenant() : then(uuidFromBytes(bytes));
}

async function list(tenants: TenantsFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const start = pageStart("tenant", call.query);
  if (!start.ok) return start.failure;
  const found = await tenants.list({ beforeUuid: start.beforeUuid, name: call.query.name ?? null }, start.limit + 1);
  return pageOf(
    "tenant",
    found,
    start.limit,
    (tenant) => uuidFromId("tenant", tenant.id),
    (tenant) => tenant,
  );
}

async function get(tenants: TenantsFace, uuid: string): Promise<Answer> {
  const tenant = await tenants.get(uuid);
  return tenant === null ? noTenant() : success(tenant);
}

function answerOfMade(outcome: TenantMade): Answer {
  switch (outcome.kind) {
    case "made": {
      const { tenant, company, key, keyText } = outcome;
      const data = { ...tenant, company, apiKey: { ...key, key: keyText } };
      return { ...success(data, 201), headers: { location: `/v1/tenants/${tenant.id}` } };
    }
    case "name_taken":
      return nameTaken();
    default:
      return outcome satisfies never;
  }
}

function answerOfChanged(outcome: TenantChanged): Answer {
  switch (outcome.kind) {
    case "changed":
      return success(outcome.tenant);
    case "name_taken":
      return nameTaken();
    case "absent":
      return noTenant();
    default:
      return outcome satisfies never;
  }
}

function nameTaken(): Answer {
  return failure("ALREADY_EXISTS", "There is a tenant of this name already. Names are unique in an installation.");
}

function noTenant(): Answer {
  return failure("NOT_FOUND", "There is no such tenant. GET /v1/tenants lists those that there are.");
}
