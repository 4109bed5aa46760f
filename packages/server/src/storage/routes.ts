// The routes of a tenant in memory: ordered lists of *when → webhooks*. What they decide for an event is route/routes.ts.
import { compileExpression, type Program } from "../expressions/compile.ts";
import { type ReadPath, readsOf } from "../expressions/reads.ts";
import type { RouteRow } from "./routes.sql.ts";

/** Webhooks by id: a step gives an event to them when its `when` is exactly true. */
export interface RouteBody {
  readonly steps: readonly { readonly when: string; readonly webhooks: readonly string[] }[];
  /** Whether the first step that holds is the last one asked. */
  readonly matches: "first" | "all";
  /** Where no step holds. */
  readonly default: readonly string[];
  readonly description?: string;
  readonly owner?: string;
}

/** A route, compiled. */
export interface Route {
  readonly name: string;
  readonly matches: "first" | "all";
  /** A step whose `when` does not compile any more gives nothing. */
  readonly steps: readonly { readonly when: Program | null; readonly webhooks: ReadonlySet<string> }[];
  readonly default: ReadonlySet<string>;
  /** What its steps look at in an event. */
  readonly reads: readonly ReadPath[];
}

const NONE: readonly Route[] = [];

/** All routes of one tenant; those of a mode name webhooks of that mode, so they need not be told apart here. */
export class Routes {
  readonly #byWebhook = new Map<string, Route[]>();

  constructor(rows: readonly RouteRow[] = []) {
    for (const row of rows) {
      const route = routeOf(row);
      for (const id of new Set([...route.steps.flatMap((step) => [...step.webhooks]), ...route.default])) {
        const known = this.#byWebhook.get(id);
        if (known === undefined) this.#byWebhook.set(id, [route]);
        else known.push(route);
      }
    }
  }

  /** Those in which a webhook stands. */
  of(webhookId: string): readonly Route[] {
    return this.#byWebhook.get(webhookId) ?? NONE;
  }
}

function routeOf({ name, body }: RouteRow): Route {
  const { steps, matches, default: otherwise } = body;
  const compiled = steps.map(({ when, webhooks }) => {
    const compilation = compileExpression(when);
    return { when: compilation.ok ? compilation.program : null, webhooks: new Set(webhooks) };
  });
  const reads = steps.flatMap(({ when }) => readsOf(when)?.touched ?? []);
  return { name, matches, steps: compiled, default: new Set(otherwise), reads };
}
