// Whether an event passes some patterns and filters, asked of stored events by replays, in the way in which routing asks.
// Must never throw for a payload's sake; an expression that is stopped does not pass.
import type { Catalogue } from "../catalogue/catalogue.ts";
import { matchesPattern } from "../catalogue/pattern.ts";
import { resourceNamesOf } from "../catalogue/resource-names.ts";
import { compileExpression } from "../expressions/compile.ts";
import type { Definitions } from "../expressions/definitions.ts";
import { parsePayload } from "../expressions/payload.ts";
import { scopeOfEvent } from "../expressions/scope-of-event.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { Routes } from "../storage/routes.ts";
import { RouteDecisions } from "./routes.ts";
import type { Organisation } from "../storage/organisation.ts";
import { EventFacts, outOfScope } from "./in-scope.ts";
import type { MatchableEvent } from "./match.ts";

/** Whether a webhook as it is now would hear of an event. */
export function heardBy(
  catalogue: Catalogue,
  webhook: Webhook,
  organisationOf: () => Organisation,
  routesOf: () => Routes,
  definitionsOf: () => Definitions,
): (event: MatchableEvent) => boolean {
  const passes = wantedBy(catalogue, webhook.events, webhook.filters, definitionsOf);
  const { scope } = webhook;
  return (event) => {
    if (scope !== null && outOfScope(scope, new EventFacts(event), organisationOf()) !== null) return false;
    if (!passes(event)) return false;
    const routes = routesOf().of(webhook.id);
    if (routes.length === 0) return true;
    const options = { exactNumbers: event.hasLongNumber };
    const names = resourceNamesOf(catalogue, event.type);
    const eventScope = scopeOfEvent(event, names, definitionsOf(), (bytes) => parsePayload(bytes, options));
    return new RouteDecisions(eventScope).give(routes, webhook.id);
  };
}

/** Compiles once; a filter that no longer compiles lets nothing pass, as in routing. */
export function wantedBy(
  catalogue: Catalogue,
  patterns: readonly string[],
  filters: readonly string[],
  definitionsOf: () => Definitions,
): (event: MatchableEvent) => boolean {
  const compiled = filters.map((source) => compileExpression(source));
  const programs = compiled.flatMap((compilation) => (compilation.ok ? [compilation.program] : []));
  if (programs.length < compiled.length) return () => false;
  return (event) => {
    if (!patterns.some((pattern) => matchesPattern(pattern, event.type))) return false;
    if (programs.length === 0) return true;
    const options = { exactNumbers: event.hasLongNumber };
    const names = resourceNamesOf(catalogue, event.type);
    const scope = scopeOfEvent(event, names, definitionsOf(), (bytes) => parsePayload(bytes, options));
    return programs.every((program) => program.test(scope));
  };
}
