// The routes of who and where: what they take, and how outcomes become answers. Deciding and storing is
// manage/organisation.ts.
import { normaliseTimestamp } from "@posthorn/contract";
import { z } from "zod";
import type { OrganisationTree } from "../../manage/organisation.ts";
import type { OrganisationNews } from "../../manage/organisation-changes.ts";
import type { OrganisationRow } from "../../manage/organisation.sql.ts";
import { type Answer, failure, fieldFailure, success } from "../answer.ts";
import { decodeCursor } from "../cursor.ts";
import { cursorFailure, PAGE_PARAMETERS, pageOf } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import {
  MAX_LOADED,
  organisationKind,
  organisationLoaded,
  organisationRecord,
  organisationToLoad,
  removedEntry,
} from "../schemas/organisation.ts";
import { actorOf } from "./webhooks.ts";

const listQuery = z.strictObject({
  ...PAGE_PARAMETERS,
  kind: organisationKind.optional().meta({ description: "Which list; branches unless given." }),
});

const removalQuery = z.strictObject({
  kind: organisationKind.optional().meta({ description: "What it is; a branch unless given." }),
});

export type OrganisationFace = Pick<OrganisationTree, "load" | "remove" | "list">;

export function organisationRoutes(tree: OrganisationFace): OrdinaryRoute[] {
  const common = { scope: "admin", tag: "Organisation" } as const;
  return [
    route({
      ...common,
      method: "GET",
      path: "/organisation",
      summary: "List companies, branches, locations, employees or users, by id.",
      query: listQuery,
      answer: { status: 200, data: organisationRecord, isList: true },
      handle: (call) => list(tree, call),
    }),
    route({
      ...common,
      method: "POST",
      path: "/organisation/load",
      summary: "Add or replace up to 5,000 entries of the organisation. The platform's events keep them current.",
      needsLiveKey: true,
      body: organisationToLoad,
      answer: { status: 200, data: organisationLoaded },
      handle: (call) => load(tree, call),
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/organisation/{id}",
      query: removalQuery,
      summary: "Forget an entry of the organisation.",
      needsLiveKey: true,
      answer: { status: 200, data: removedEntry },
      handle: (call) => remove(tree, call),
    }),
  ];
}

async function list(tree: OrganisationFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const { kind = "branch", cursor, limit = 50 } = call.query;
  const after = cursor === undefined ? "" : decodeCursor("organisation", cursor);
  if (after === null) return cursorFailure();
  const found = await tree.list(actorOf(call), kind, after, limit + 1);
  return pageOf("organisation", found, limit, (row) => row.id, viewOf);
}

async function load(
  tree: OrganisationFace,
  call: Call<undefined, z.output<typeof organisationToLoad>>,
): Promise<Answer> {
  const { asOf, companies = [], branches = [], locations = [], employees = [], users = [] } = call.body;
  const at = asOf === undefined ? undefined : normaliseTimestamp(asOf);
  if (at === null) {
    const message = "Expected an ISO 8601 time with an offset, such as 2026-11-23T08:00:00Z.";
    return fieldFailure([{ field: "asOf", message, code: "INVALID_VALUE" }]);
  }
  const asOfMs = at === undefined ? undefined : Date.parse(at);
  const news: Omit<OrganisationNews, "asOfMs">[] = [
    ...companies.map((each) => ({ kind: "company" as const, ...each })),
    ...branches.map(({ companyId, ...each }) => ({ kind: "branch" as const, parentId: companyId, ...each })),
    ...locations.map(({ branchId, ...each }) => ({ kind: "location" as const, parentId: branchId, ...each })),
    ...employees.map((each) => ({ kind: "employee" as const, ...each })),
    ...users.map(({ employeeId, ...each }) => ({ kind: "user" as const, parentId: employeeId, ...each })),
  ];
  if (news.length > MAX_LOADED) {
    const message = `A load has at most ${MAX_LOADED} entries, all lists together; this one has ${news.length}. Load the rest in another request.`;
    return fieldFailure([{ field: "", message, code: "INVALID_VALUE" }]);
  }
  return success(await tree.load(actorOf(call), news, asOfMs));
}

async function remove(tree: OrganisationFace, call: Call<z.output<typeof removalQuery>>): Promise<Answer> {
  const id = call.params["id"] as string;
  const { kind = "branch" } = call.query;
  if (await tree.remove(actorOf(call), kind, id)) return success({ kind, id, deleted: true });
  return failure(
    "NOT_FOUND",
    "The organisation has no such entry. GET /v1/organisation?kind=branch lists those there are.",
  );
}

function viewOf(row: OrganisationRow): Record<string, unknown> {
  return {
    kind: row.kind,
    id: row.id,
    name: row.name,
    parentId: row.parent_id,
    departments: row.departments,
    teams: row.teams,
    asOf: row.as_of.toISOString(),
  };
}
