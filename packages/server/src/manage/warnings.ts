// What in a webhook probably is not meant: filters that can never pass for a type it subscribes to, template parts that
// will be null. Held against the catalogue's examples; types without one are passed over in silence.
import type { Catalogue, EventTypeDefinition } from "../catalogue/catalogue.ts";
import { matchesPattern } from "../catalogue/pattern.ts";
import type { PerEventSetting } from "../storage/configuration.ts";
import { type FilterSettings, type FilterSource, filterSourcesOf } from "../expressions/dialects.ts";
import type { Program } from "../expressions/compile.ts";
import { Evaluation, MAX_WORK } from "../expressions/limits.ts";
import { ExpressionFault } from "../expressions/errors.ts";
import { type ExpressionReads, readsOf } from "../expressions/reads.ts";
import { compileTemplate } from "../expressions/template.ts";
import { hasExpression } from "../expressions/text-template.ts";
import { compileHeaderValue, compileUrl } from "../expressions/url-template.ts";
import { ABSENT } from "../expressions/values.ts";
import { type Absence, ExampleEvent } from "./example-event.ts";
import { type ConfigurationWarning, templateFieldName } from "./transform.ts";
import type { StoredConfiguration } from "./webhook-configuration.ts";

/** What of a webhook is looked at. */
export type WarnableConfiguration = FilterSettings &
  Pick<StoredConfiguration, "events" | "transform" | "batchSettings" | "perEvent"> &
  Partial<Pick<StoredConfiguration, "url" | "headers">>;

/** Work that may still be done, in the units of expressions/limits.ts; whoever judges takes from it. */
export interface WarningBudget {
  unitsLeft: number;
}

/**
 * Judges configurations; pure but for the examples that it keeps prepared. Create, change, apply and preview ask it.
 * @param budget shared by many configurations; one by itself stops at UNITS_PER_CONFIGURATION and tells what it found
 */
export type WarningsOf = (
  configuration: WarnableConfiguration,
  budget?: WarningBudget,
) => readonly ConfigurationWarning[];

/** 500 template parts against the examples of all types would be half a second, with loops in them an hour. */
export const UNITS_PER_CONFIGURATION = 3_000_000;
/** Finding out what a part reads that an example lacks, and what was meant instead: some 10 µs. */
const UNITS_PER_JUDGEMENT = 400;

interface Condition {
  readonly field: string;
  readonly reads: ExpressionReads;
}

interface TemplatePart {
  readonly field: string;
  readonly reads: ExpressionReads;
  readonly program: Program;
  /** What becomes of the request where it has no value. */
  readonly consequence: Finding["consequence"];
  /** Whether events of this type are sent with it. */
  readonly isFor: (eventType: string) => boolean;
}

/** One kind of complaint about one place, and the types that it is true for. */
interface Finding {
  readonly code: ConfigurationWarning["code"];
  readonly field: string;
  readonly absence: Absence;
  readonly consequence: (them: "it" | "them") => string;
  readonly types: string[];
}

/** More are not read by anybody. */
const MAX_WARNINGS = 50;
const TYPES_NAMED = 3;

export function createWarnings(catalogue: Catalogue): WarningsOf {
  const examples = new Map<string, ExampleEvent>();
  const exampleOf = (type: EventTypeDefinition): ExampleEvent => {
    let example = examples.get(type.name);
    if (example === undefined) {
      example = new ExampleEvent(type);
      examples.set(type.name, example);
    }
    return example;
  };
  return (configuration, budget = { unitsLeft: UNITS_PER_CONFIGURATION }) => {
    const conditions = filterSourcesOf(configuration).flatMap(conditionOf);
    // Filled for a whole batch it reads other names, and what a batch holds no example shows.
    const isForBatch = configuration.batchSettings?.per === "batch";
    const parts = isForBatch ? [] : partsOf(configuration);
    if (conditions.length === 0 && parts.length === 0) return [];
    const findings = new Findings();
    const work = new Work(budget);
    for (const name of subscribedTypes(catalogue, configuration.events)) {
      const example = exampleOf(catalogue.get(name) as EventTypeDefinition);
      // What never gets as far as the template needs no second complaint.
      if (judgeConditions(conditions, example, findings, work))
        judgeTemplate(
          parts.filter(({ isFor }) => isFor(name)),
          example,
          findings,
          work,
        );
      if (work.isDone) break;
    }
    return findings.warnings();
  };
}

function subscribedTypes(catalogue: Catalogue, patterns: readonly string[]): Iterable<string> {
  return new Set(patterns.flatMap((pattern) => catalogue.expand(pattern)));
}

function conditionOf({ field, source }: FilterSource): Condition[] {
  const reads = readsOf(source);
  return reads === null ? [] : [{ field, reads }];
}

/** Every place with expressions: the template, the URL and the headers, and those of single event types. */
function partsOf({ transform, url, headers, perEvent }: WarnableConfiguration): TemplatePart[] {
  const others = Object.entries(perEvent ?? {});
  /** What the webhook itself says is for the types for which nothing else is said. */
  const unless = (says: (own: PerEventSetting) => boolean): TemplatePart["isFor"] => {
    const patterns = others.filter(([, own]) => says(own)).map(([pattern]) => pattern);
    return (type) => !patterns.some((pattern) => matchesPattern(pattern, type));
  };
  return [
    ...templateParts(
      transform?.template,
      undefined,
      unless((own) => (own.transform ?? own.format) !== undefined),
    ),
    ...urlParts(
      url,
      "url",
      unless((own) => own.url !== undefined),
    ),
    ...headerParts(headers, "headers", () => true),
    ...others.flatMap(([pattern, own]) => {
      const field = `perEvent[${JSON.stringify(pattern)}]`;
      const isFor = (type: string): boolean => matchesPattern(pattern, type);
      return [
        ...templateParts(own.transform?.template, `${field}.transform.template`, isFor),
        ...urlParts(own.url, `${field}.url`, isFor),
        ...headerParts(own.headers, `${field}.headers`, isFor),
      ];
    }),
  ];
}

function part(
  field: string,
  program: Program,
  consequence: Finding["consequence"],
  isFor: TemplatePart["isFor"],
): TemplatePart[] {
  const reads = readsOf(program.source);
  return reads === null ? [] : [{ field, reads, program, consequence, isFor }];
}

function templateParts(template: unknown, field: string | undefined, isFor: TemplatePart["isFor"]): TemplatePart[] {
  if (template === undefined) return [];
  const compiled = compileTemplate(template);
  if (!compiled.ok) return [];
  return compiled.template.holes.flatMap(({ path, program, inText }) =>
    part(templateFieldName(path, field), program, inText ? WILL_BE_EMPTY : WILL_BE_NULL, isFor),
  );
}

function urlParts(url: string | undefined, field: string, isFor: TemplatePart["isFor"]): TemplatePart[] {
  if (url === undefined || !hasExpression(url)) return [];
  const compiled = compileUrl(url);
  if (!compiled.ok) return [];
  return compiled.url.holes.flatMap(({ program, isInPath }) =>
    part(field, program, isInPath ? WILL_BE_HELD : WILL_BE_EMPTY, isFor),
  );
}

function headerParts(
  headers: Readonly<Record<string, string>> | undefined,
  field: string,
  isFor: TemplatePart["isFor"],
): TemplatePart[] {
  return Object.entries(headers ?? {}).flatMap(([name, value]) => {
    const compiled = hasExpression(value) ? compileHeaderValue(value) : null;
    if (compiled === null || !compiled.ok) return [];
    return compiled.template.holes.flatMap(({ program }) => part(`${field}.${name}`, program, WILL_BE_EMPTY, isFor));
  });
}

/** @returns whether an event of this type can pass all conditions, as far as its example tells */
function judgeConditions(
  conditions: readonly Condition[],
  example: ExampleEvent,
  findings: Findings,
  work: Work,
): boolean {
  let canPass = true;
  for (const { field, reads } of conditions) {
    if (!work.spendJudgement(reads)) return false;
    if (reads.canHold((path, isWalked) => example.absence(path, isWalked) !== null)) continue;
    canPass = false;
    const absence = firstAbsence(reads, example);
    // Without one it can never pass for reasons of its own (`false`), which nobody writes by accident.
    if (absence === null) continue;
    findings.add("NEVER_MATCHES_TYPE", field, absence, NEVER_PASSES, example.type.name);
  }
  return canPass;
}

function judgeTemplate(parts: readonly TemplatePart[], example: ExampleEvent, findings: Findings, work: Work): void {
  for (const { field, reads, program, consequence } of parts) {
    if (!work.spendJudgement(reads)) return;
    const absence = firstAbsence(reads, example);
    if (absence === null) continue;
    const value = work.evaluate(program, example);
    const isRequired = value instanceof ExpressionFault && value.code === "VALUE_MISSING";
    if (value !== ABSENT && !isRequired) continue;
    findings.add("MISSING_IN_TEMPLATE", field, absence, isRequired ? WILL_BE_HELD : consequence, example.type.name);
  }
}

const NEVER_PASSES: Finding["consequence"] = (them) => `this filter never passes for ${them}`;
const WILL_BE_NULL: Finding["consequence"] = (them) => `this is null for ${them}`;
const WILL_BE_HELD: Finding["consequence"] = (them) => `nothing can be sent and deliveries of ${them} are held`;
const WILL_BE_EMPTY: Finding["consequence"] = (them) => `this is empty for ${them}`;

/** What may be done for one configuration, taken from a budget that others may share. */
class Work {
  readonly #budget: WarningBudget;
  /** Of the shared budget, the rest is for the others. */
  readonly #floor: number;

  constructor(budget: WarningBudget) {
    this.#budget = budget;
    this.#floor = Math.max(0, budget.unitsLeft - UNITS_PER_CONFIGURATION);
  }

  get isDone(): boolean {
    return this.#budget.unitsLeft <= this.#floor;
  }

  /** @returns false when there is nothing left to judge with */
  spendJudgement(reads: ExpressionReads): boolean {
    if (this.isDone) return false;
    this.#spend(UNITS_PER_JUDGEMENT * Math.max(1, reads.paths.length));
    return true;
  }

  evaluate(program: Program, example: ExampleEvent): ReturnType<Program["evaluateIn"]> {
    const allowed = Math.min(MAX_WORK, this.#budget.unitsLeft - this.#floor);
    const run = new Evaluation(example.scope, allowed);
    const value = program.evaluateIn(run);
    this.#spend(allowed - run.workLeft);
    return value;
  }

  #spend(units: number): void {
    this.#budget.unitsLeft = Math.max(this.#floor, this.#budget.unitsLeft - units);
  }
}

/** What is missing for certain (a whole object) says more than a member that an example happens not to have. */
function firstAbsence({ paths, walked }: ExpressionReads, example: ExampleEvent): Absence | null {
  const absences = paths.map((path) => example.absence(path, walked.has(path))).filter((absence) => absence !== null);
  return absences.find(({ kind }) => kind === "root") ?? absences[0] ?? null;
}

class Findings {
  readonly #findings = new Map<string, Finding>();

  add(code: Finding["code"], field: string, absence: Absence, consequence: Finding["consequence"], type: string): void {
    const key = JSON.stringify([code, field, absence]);
    const known = this.#findings.get(key);
    if (known !== undefined) known.types.push(type);
    else if (this.#findings.size < MAX_WARNINGS)
      this.#findings.set(key, { code, field, absence, consequence, types: [type] });
  }

  warnings(): ConfigurationWarning[] {
    return [...this.#findings.values()].map((finding) => ({
      code: finding.code,
      field: finding.field,
      message: sentence(finding),
    }));
  }
}

function sentence({ absence, consequence, types }: Finding): string {
  const isOne = types.length === 1;
  const names = listed(types);
  const result = consequence(isOne ? "it" : "them");
  const suggestion = absence.nearest === null ? "" : ` Did you mean \`${absence.nearest}\`?`;
  if (absence.kind === "root")
    return `${names} ${isOne ? "carries" : "carry"} no \`${absence.path}\`: ${result}.${suggestion}`;
  const examples = isOne ? "in its example" : "in their examples";
  return `${names} ${isOne ? "has" : "have"} no \`${absence.path}\` ${examples}: without it ${result}.${suggestion}`;
}

function listed(names: readonly string[]): string {
  if (names.length === 1) return names[0] as string;
  if (names.length <= TYPES_NAMED) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, TYPES_NAMED).join(", ")} and ${names.length - TYPES_NAMED} more`;
}
