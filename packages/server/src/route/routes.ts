// What the routes of a tenant give to whom, for one event. A webhook that stands in a route hears only what one of its
// routes gives it; its own event types, scope and filters decide beside that. See docs/decisions/0003-routes.md.
import { ExpressionFault } from "../expressions/errors.ts";
import type { Scope } from "../expressions/scope.ts";
import type { Route } from "../storage/routes.ts";

/** What a route makes of an event: the steps that hold, or that it came to its default. */
export interface RouteDecision {
  readonly webhooks: ReadonlySet<string>;
  /** From 0; empty where none holds. */
  readonly steps: readonly number[];
}

/** Each route is asked once for an event, however many webhooks stand in it. */
export class RouteDecisions {
  readonly #scope: Scope;
  readonly #onFault: ((fault: ExpressionFault) => void) | undefined;
  readonly #decided = new Map<Route, RouteDecision>();

  /** @param onFault a step went beyond its budget, which counts as not holding */
  constructor(scope: Scope, onFault?: (fault: ExpressionFault) => void) {
    this.#scope = scope;
    this.#onFault = onFault;
  }

  /** Whether one of these routes gives the event to the webhook. */
  give(routes: readonly Route[], webhookId: string): boolean {
    return routes.some((route) => this.decisionOf(route).webhooks.has(webhookId));
  }

  decisionOf(route: Route): RouteDecision {
    let decision = this.#decided.get(route);
    if (decision === undefined) {
      decision = this.#decide(route);
      this.#decided.set(route, decision);
    }
    return decision;
  }

  #decide({ steps, matches, default: otherwise }: Route): RouteDecision {
    const held: number[] = [];
    for (const [index, { when }] of steps.entries()) {
      const value = when === null ? false : when.evaluate(this.#scope);
      if (value instanceof ExpressionFault) this.#onFault?.(value);
      if (value !== true) continue;
      held.push(index);
      if (matches === "first") break;
    }
    if (held.length === 0) return { webhooks: otherwise, steps: held };
    const webhooks = new Set(held.flatMap((index) => [...(steps[index]?.webhooks ?? [])]));
    return { webhooks, steps: held };
  }
}
