// The route that lists who sends events, and who has fallen silent.
import type { Modules } from "../../manage/modules.ts";
import { pageOf } from "../paging.ts";
import { type OrdinaryRoute, route } from "../route-entry.ts";
import { moduleRecord } from "../schemas/module.ts";

export type ModulesFace = Pick<Modules, "list">;

export function moduleRoutes(modules: ModulesFace): OrdinaryRoute[] {
  return [
    route({
      method: "GET",
      path: "/modules",
      scope: "read:events",
      summary: "List the modules and sources that events come from: last event, usual and present rate, who is silent.",
      tag: "Events",
      answer: { status: 200, data: moduleRecord, isList: true },
      handle: async (call) => {
        const found = await modules.list(call.principal);
        return pageOf(
          "module",
          found,
          Math.max(1, found.length),
          ({ name }) => name,
          (module) => module,
        );
      },
    }),
  ];
}
