// Whether an event passes some patterns and filters, asked of stored events by replays, in the way in which routing asks.
// Must never throw for a payload's sake; an expression that is stopped does not pass.
import type { Catalogue } from "../catalogue/catalogue.ts";
import { matchesPattern } from "../catalogue/pattern.ts";
import { resourceNamesOf } from "../catalogue/resource-names.ts";
import { compileExpression } from "../expressions/compile.ts";
import type { Definitions } from "../expressions/definitions.ts";
import { parsePayload } from "../expressions/payload.ts";
import { scopeOfEvent } from "../expressions/scope-of-event.ts";
import type { MatchableEvent } from "./match.ts";

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
