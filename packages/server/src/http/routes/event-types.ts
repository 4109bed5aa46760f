// The routes that show which event types there are: the catalogue's, and those that the tenant registered.
import type pg from "pg";
import { z } from "zod";
import type { Catalogue, EventTypeDefinition } from "../../catalogue/catalogue.ts";
import { taggedFieldsIn } from "../../catalogue/field-tags.ts";
import { matchesPattern } from "../../catalogue/pattern.ts";
import { asTenant } from "../../storage/pools.ts";
import { type Answer, failure, success } from "../answer.ts";
import { decodeCursor } from "../cursor.ts";
import { cursorFailure, PAGE_PARAMETERS, pageOf } from "../paging.ts";
import type { Principal } from "../principal.ts";
import { type EventTypeRow, selectEventTypes } from "../read/event-types.sql.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { eventTypeRecord, listedEventType } from "../schemas/event-type.ts";
import { TYPE_PARAMETER } from "../type-parameter.ts";

const listQuery = z.strictObject({ ...PAGE_PARAMETERS, type: TYPE_PARAMETER.optional() });

export interface EventTypesFace {
  readonly catalogue: Pick<Catalogue, "types" | "nearest" | "tagsOf">;
  /** API role, under row-level security. */
  readonly api: pg.Pool;
}

interface TypeView {
  readonly name: string;
  readonly [member: string]: unknown;
}

export function eventTypeRoutes(face: EventTypesFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/event-types",
      scope: "read:events",
      summary: "List event types by name.",
      tag: "Event types",
      query: listQuery,
      answer: { status: 200, data: listedEventType, isList: true },
      handle: (call) => list(face, call),
    }),
    route({
      method: "GET",
      path: "/event-types/{name}",
      scope: "read:events",
      summary: "Read one event type with an example that can be published as it is.",
      tag: "Event types",
      answer: { status: 200, data: eventTypeRecord },
      handle: (call) => get(face, call),
    }),
  ];
}

async function list(face: EventTypesFace, call: Call<z.output<typeof listQuery>>): Promise<Answer> {
  const after = call.query.cursor === undefined ? "" : decodeCursor("type", call.query.cursor);
  if (after === null) return cursorFailure();
  const pattern = call.query.type ?? "*";
  const limit = call.query.limit ?? 50;
  const types = [...(await typesOf(face, call.principal)).values()]
    .filter((type) => type.name > after && matchesPattern(pattern, type.name))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
  const withoutExample = ({ example: _example, ...rest }: TypeView) => rest;
  return pageOf("type", types.slice(0, limit + 1), limit, (type) => type.name, withoutExample);
}

async function get(face: EventTypesFace, call: Call): Promise<Answer> {
  const name = call.params["name"] as string;
  const type = (await typesOf(face, call.principal)).get(name);
  if (type !== undefined) {
    return success({ ...type, taggedFields: taggedFieldsIn(face.catalogue.tagsOf(name), type["example"]) });
  }
  const nearest = face.catalogue.nearest(name, 3);
  const hint = nearest.length > 0 ? ` Did you mean ${nearest.join(" or ")}?` : "";
  return failure("NOT_FOUND", `There is no such event type.${hint}`);
}

/** What a tenant registered stands in front of what the catalogue says under the same name. */
async function typesOf(face: EventTypesFace, principal: Principal): Promise<Map<string, TypeView>> {
  const { tenantUuid } = principal;
  const registered = await asTenant(face.api, tenantUuid, (db) => selectEventTypes(db, tenantUuid));
  const types = new Map<string, TypeView>();
  for (const definition of face.catalogue.types.values()) types.set(definition.name, catalogueView(definition));
  for (const row of registered) types.set(row.name, registeredView(row));
  return types;
}

function catalogueView(definition: EventTypeDefinition): TypeView {
  const { name, resource, module, description, raisedWhen, since, referencePath, example } = definition;
  return {
    name,
    resource: resource.name,
    module,
    description,
    raisedWhen,
    since,
    referencePath,
    registered: false,
    example,
  };
}

/** A type that the tenant registered itself. */
export function registeredView(row: EventTypeRow): TypeView {
  const { name, description, example, reference_path: referencePath } = row;
  return { name, resource: name.split(".", 1)[0], description, referencePath, registered: true, example };
}
