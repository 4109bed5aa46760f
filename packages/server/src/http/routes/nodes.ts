// The route that lists the nodes of the installation, for whoever runs it.
import { uuidFromId } from "@posthorn/contract";
import { z } from "zod";
import type { Nodes } from "../../manage/nodes.ts";
import type { Answer } from "../answer.ts";
import { PAGE_PARAMETERS, pageOf, pageStart } from "../paging.ts";
import { type Call, type OrdinaryRoute, route } from "../route-entry.ts";
import { nodeRecord } from "../schemas/node.ts";

const query = z.strictObject(PAGE_PARAMETERS);

export type NodesFace = Pick<Nodes, "list">;

export function nodeRoutes(nodes: NodesFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/nodes",
      scope: "operator",
      summary: "List the nodes of this installation, newest first; those that ended for a day.",
      tag: "Nodes",
      query,
      answer: { status: 200, data: nodeRecord, isList: true },
      handle: (call) => list(nodes, call),
    }),
  ];
}

async function list(nodes: NodesFace, call: Call<z.output<typeof query>>): Promise<Answer> {
  const start = pageStart("node", call.query);
  if (!start.ok) return start.failure;
  const found = await nodes.list(start.beforeUuid, start.limit + 1);
  return pageOf(
    "node",
    found,
    start.limit,
    (node) => uuidFromId("node", node.id),
    (node) => node,
  );
}
