// The routes of companies: what they take, and how outcomes become answers. Deciding and storing is manage/companies.ts.
import { z } from "zod";
import type { Companies, CompanyWritten } from "../../manage/companies.ts";
import { type Answer, failure, success } from "../answer.ts";
import { decodeCursor } from "../cursor.ts";
import { COMPANY_ID, companyIdField, nameField } from "../fields.ts";
import { cursorFailure, PAGE_PARAMETERS, pageOf } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { companyRecord, deletedCompany } from "../schemas/tenant.ts";
import { actorOf } from "./webhooks.ts";

const creation = z.strictObject({ id: companyIdField.optional(), name: nameField }).meta({
  id: "CompanyToCreate",
  description: "A company; an id is made when you give none.",
  examples: [{ id: "company_acme", name: "Acme Sdn Bhd" }],
});
const renaming = z.strictObject({ name: nameField.optional() }).meta({
  id: "CompanyChange",
  description: "Its new name.",
  examples: [{ name: "Acme Holdings" }],
});
const hints = { readOnly: { createdAt: "It is set by Posthorn. Leave it out." } };
const listQuery = z.strictObject(PAGE_PARAMETERS);

export type CompaniesFace = Pick<Companies, "create" | "rename" | "remove" | "get" | "list">;

export function companyRoutes(companies: CompaniesFace): OrdinaryRoute[] {
  const common = { scope: "admin", tag: "Companies" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/companies",
      summary: "List the tenant's companies by id.",
      query: listQuery,
      answer: { status: 200, data: companyRecord, isList: true },
      handle: (call) => list(companies, call),
    }),
    route({
      ...common,
      method: "POST",
      path: "/companies",
      summary: "Add a company, under the id that the platform gave it or under one of ours.",
      needsLiveKey: true,
      body: creation,
      hints,
      answer: { status: 201, data: companyRecord, headers: ["Location"] },
      errors: ["ALREADY_EXISTS"],
      handle: async (call) => answerOf(await companies.create(actorOf(call), call.body.name, call.body.id), 201),
    }),
    route({
      ...common,
      method: "GET",
      path: "/companies/{id}",
      summary: "Read one company.",
      answer: { status: 200, data: companyRecord },
      handle: (call) => withCompany(call, (id) => get(companies, call, id)),
    }),
    route({
      ...common,
      method: "PATCH",
      path: "/companies/{id}",
      summary: "Rename a company.",
      needsLiveKey: true,
      body: renaming,
      hints: { readOnly: { ...hints.readOnly, id: "Keys and events name it. Add another company instead." } },
      answer: { status: 200, data: companyRecord },
      handle: (call) =>
        withCompany(call, async (id) => answerOf(await companies.rename(actorOf(call), id, call.body.name), 200)),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/companies/{id}",
      summary: "Remove a company that no usable key is bound to. Events that name it stay.",
      needsLiveKey: true,
      answer: { status: 200, data: deletedCompany },
      errors: ["CONFLICT"],
      handle: (call) => withCompany(call, (id) => remove(companies, call, id)),
    }),
  ];
}

async function list(companies: CompaniesFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const after = call.query.cursor === undefined ? "" : decodeCursor("company", call.query.cursor);
  if (after === null || (after !== "" && !COMPANY_ID.test(after))) return cursorFailure();
  const limit = call.query.limit ?? 50;
  const found = await companies.list(actorOf(call), after, limit + 1);
  return pageOf(
    "company",
    found,
    limit,
    (company) => company.id,
    (company) => company,
  );
}

async function get(companies: CompaniesFace, call: Call, id: string): Promise<Answer> {
  const company = await companies.get(actorOf(call), id);
  return company === null ? noCompany() : success(company);
}

async function remove(companies: CompaniesFace, call: Call, id: string): Promise<Answer> {
  const outcome = await companies.remove(actorOf(call), id);
  switch (outcome.kind) {
    case "removed":
      return success({ id, deleted: true });
    case "absent":
      return noCompany();
    case "in_use": {
      const keys = outcome.keyIds.join(", ");
      return failure("CONFLICT", `Keys are bound to this company (${keys}). Revoke them or bind them to another one.`);
    }
    default:
      return outcome satisfies never;
  }
}

async function withCompany(call: Call, then: (id: string) => Promise<Answer>): Promise<Answer> {
  const id = call.params["id"] as string;
  return COMPANY_ID.test(id) ? then(id) : noCompany();
}

function answerOf(outcome: CompanyWritten, status: 200 | 201): Answer {
  switch (outcome.kind) {
    case "written": {
      const { company } = outcome;
      if (status === 200) return success(company);
      return { ...success(company, status), headers: { location: `/v1/companies/${company.id}` } };
    }
    case "exists":
      return failure("ALREADY_EXISTS", "There is a company of this id already. PATCH it to rename it.");
    case "absent":
      return noCompany();
    default:
      return outcome satisfies never;
  }
}

function noCompany(): Answer {
  return failure("NOT_FOUND", "There is no such company. GET /v1/companies lists those that there are.");
}
