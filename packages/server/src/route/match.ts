// Which webhooks hear of an event: tenant and type give the candidates, compiled filters decide. In memory, before the
// event is stored. Must never parse a payload that no candidate's filter reads, and never throw for a payload's sake.
import type { Catalogue } from "../catalogue/catalogue.ts";
import { matchesPattern } from "../catalogue/pattern.ts";
import { resourceNamesOf } from "../catalogue/resource-names.ts";
import { compileExpression, type Program } from "../expressions/compile.ts";
import type { Definitions } from "../expressions/definitions.ts";
import { ExpressionFault } from "../expressions/errors.ts";
import { parsePayload } from "../expressions/payload.ts";
import { type PayloadPart, payloadPartFor, readPayloadPart } from "../expressions/payload-part.ts";
import { type ReadPath, readsOf } from "../expressions/reads.ts";
import type { Scope } from "../expressions/scope.ts";
import { scopeOfEvent } from "../expressions/scope-of-event.ts";
import { EventFacts, outOfScope } from "./in-scope.ts";
import { RouteDecisions } from "./routes.ts";
import type { TenantConfiguration, Webhook } from "../storage/configuration.ts";

/** What matching needs of an event. */
export interface MatchableEvent {
  readonly publicId: string;
  readonly type: string;
  readonly timestamp: string;
  readonly livemode: boolean;
  readonly data: Buffer;
  readonly context: Buffer | null;
  readonly hasLongNumber: boolean;
}

interface CompiledWebhook {
  readonly webhook: Webhook;
  /** All must hold; empty: everything passes. Null: a filter that no longer compiles lets nothing pass. */
  readonly filters: readonly Program[] | null;
  /** What the filters read, and the ordering key; rules by their names. */
  readonly reads: readonly ReadPath[];
}

/** The webhooks that may hear of one type of event in one mode. */
interface Candidates {
  readonly webhooks: readonly CompiledWebhook[];
  /** What all their expressions together read of a payload; null for the whole of it. */
  readonly part: PayloadPart | null;
  /** Ordering keys will be asked for with the same scope. */
  readonly isAnyOrdered: boolean;
}

export class Matcher {
  readonly #catalogue: Catalogue;
  readonly #onFault: (webhook: Webhook, fault: ExpressionFault) => void;
  readonly #compiled = new WeakMap<Webhook, CompiledWebhook>();
  readonly #scopes = new WeakMap<MatchableEvent, Scope>();
  /** Candidates by tenant snapshot, then by mode and type. A changed webhook brings a new snapshot. */
  readonly #candidates = new WeakMap<TenantConfiguration, Map<string, Candidates>>();

  /** @param onFault a filter went beyond its budget for an event, which is then not sent */
  constructor(catalogue: Catalogue, onFault: (webhook: Webhook, fault: ExpressionFault) => void) {
    this.#catalogue = catalogue;
    this.#onFault = onFault;
  }

  /** The webhooks that must hear of the event, paused ones included (their deliveries are held). */
  match(tenant: TenantConfiguration, event: MatchableEvent): readonly Webhook[] {
    const candidates = this.#candidatesOf(tenant, event.livemode, event.type);
    if (candidates.webhooks.length === 0) return [];
    let scope: Scope | undefined;
    let facts: EventFacts | undefined;
    let decisions: RouteDecisions | undefined;
    const matched: Webhook[] = [];
    for (const { webhook, filters } of candidates.webhooks) {
      if (filters === null) continue;
      if (webhook.scope !== null) {
        facts ??= new EventFacts(event);
        if (outOfScope(webhook.scope, facts, tenant.organisation) !== null) continue;
      }
      if (filters.length > 0) {
        scope ??= this.#scopeOf(event, tenant.definitions, candidates);
        let passes = true;
        for (const program of filters) {
          const value = program.evaluate(scope);
          if (value === true) continue;
          // Beyond its budget is not "does not match": the event is not sent, and somebody has to hear why.
          if (value instanceof ExpressionFault) this.#onFault(webhook, value);
          passes = false;
          break;
        }
        if (!passes) continue;
      }
      const inRoutes = tenant.routes.of(webhook.id);
      if (inRoutes.length > 0) {
        scope ??= this.#scopeOf(event, tenant.definitions, candidates);
        decisions ??= new RouteDecisions(scope, (fault) => this.#onFault(webhook, fault));
        if (!decisions.give(inRoutes, webhook.id)) continue;
      }
      matched.push(webhook);
    }
    return matched;
  }

  /** Whether any webhook asks for events of this type, filters aside. */
  hasCandidates(tenant: TenantConfiguration, livemode: boolean, type: string): boolean {
    return this.#candidatesOf(tenant, livemode, type).webhooks.length > 0;
  }

  #candidatesOf(tenant: TenantConfiguration, livemode: boolean, type: string): Candidates {
    let byType = this.#candidates.get(tenant);
    if (byType === undefined) {
      byType = new Map();
      this.#candidates.set(tenant, byType);
    }
    const key = `${livemode} ${type}`;
    let candidates = byType.get(key);
    if (candidates === undefined) {
      candidates = this.#select(tenant, livemode, type);
      byType.set(key, candidates);
    }
    return candidates;
  }

  #select(tenant: TenantConfiguration, livemode: boolean, type: string): Candidates {
    const selected: CompiledWebhook[] = [];
    for (const webhook of tenant.webhooks.values()) {
      if (webhook.livemode !== livemode) continue;
      if (webhook.status !== "enabled" && webhook.status !== "paused") continue;
      if (!webhook.events.some((pattern) => matchesPattern(pattern, type))) continue;
      selected.push(this.#compile(webhook));
    }
    const { fieldAliases } = resourceNamesOf(this.#catalogue, type);
    // A route once, however many of its webhooks stand here.
    const routes = new Set(selected.flatMap(({ webhook }) => tenant.routes.of(webhook.id)));
    const read = [...selected, ...routes].flatMap((each) => each.reads);
    const reads = read.flatMap((path) => tenant.definitions.readsOf(path));
    return {
      webhooks: selected,
      part: payloadPartFor(reads, fieldAliases),
      isAnyOrdered: selected.some(({ webhook }) => webhook.orderingKey !== null),
    };
  }

  #compile(webhook: Webhook): CompiledWebhook {
    const present = this.#compiled.get(webhook);
    if (present !== undefined) return present;
    const programs: Program[] = [];
    const reads: ReadPath[] = [];
    let broken = false;
    for (const source of webhook.filters) {
      const compilation = compileExpression(source);
      if (compilation.ok) programs.push(compilation.program);
      else broken = true;
      reads.push(...(readsOf(source)?.touched ?? []));
    }
    if (typeof webhook.orderingKey === "string") reads.push(...(readsOf(webhook.orderingKey)?.touched ?? []));
    const compiled: CompiledWebhook = { webhook, filters: broken ? null : programs, reads };
    this.#compiled.set(webhook, compiled);
    return compiled;
  }

  /** An event as expressions see it, for whoever asks after its match: what was parsed is parsed once. */
  scopeOf(event: MatchableEvent, definitions: Definitions): Scope {
    return this.#scopes.get(event) ?? this.#scopeOf(event, definitions, null);
  }

  #scopeOf(event: MatchableEvent, definitions: Definitions, candidates: Candidates | null): Scope {
    const options = { exactNumbers: event.hasLongNumber };
    const part = candidates?.part ?? null;
    const scope = scopeOfEvent(event, resourceNamesOf(this.#catalogue, event.type), definitions, (bytes) =>
      part !== null && bytes === event.data ? readPayloadPart(bytes, part, options) : parsePayload(bytes, options),
    );
    if (candidates === null || candidates.isAnyOrdered) this.#scopes.set(event, scope);
    return scope;
  }
}
