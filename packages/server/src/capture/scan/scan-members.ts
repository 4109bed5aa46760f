// Walks the members of the one object that a body or an item consists of, and collects what is wrong with its shape.
// Never stops at a problem of shape: only a text that is JSON to its very end is told about its members.
import { CLOSE_BRACE, COMMA, OPEN_BRACE } from "./ascii.ts";
import { knownName, nearestName, shownName } from "./member-names.ts";
import {
  emptyBody,
  kindOfValue,
  MAX_PROBLEMS,
  refusalOf,
  type ScanRefusal,
  type ShapeProblem,
  shapeRefusal,
} from "./refusals.ts";
import { byteAt, REFUSED, refuseSyntax, type ScanState } from "./scan-state.ts";
import { skipName, skipSpace, skipValue } from "./skip-value.ts";

/** What an object may hold. The index of a name is the index of everything else about that member. */
export interface MemberRules {
  /** Names in ASCII. */
  readonly names: readonly string[];
  /** First byte of an acceptable value, or 0 for any value. */
  readonly firstBytes: readonly number[];
  /** The acceptable value in words, for messages. */
  readonly expected: readonly string[];
  /** Members with an index below this one must be there. */
  readonly requiredCount: number;
  /** -1 for each name: the ranges of an object without members, to be copied for each object scanned. */
  readonly allAbsent: readonly number[];
  /** The whole object in words, for messages. */
  readonly object: string;
  /** Members of other names are skipped instead of refused. */
  readonly takesOthers?: boolean;
}

/** Byte ranges of the members, by the index of their rule; -1 where a member is absent. */
export interface MemberRanges {
  readonly kind: "members";
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** Skips the value of the member with this index (-1: unknown); returns the offset after it, or `REFUSED`. */
export type SkipMember = (state: ScanState, start: number, index: number) => number;

/** The plain way: any value, which stands inside one open container, the object itself. */
export const skipMember: SkipMember = (state, start) => skipValue(state, start, 1);

/**
 * Scans the text from `start` to its end as one object under `rules`. The text must be well-formed UTF-8.
 * Refusals: EMPTY_BODY, INVALID_JSON, JSON_TOO_DEEP (400); NOT_AN_OBJECT, or all of UNKNOWN_MEMBER, DUPLICATE_MEMBER,
 * WRONG_TYPE and MISSING_MEMBER that were found (422).
 */
export function scanMembers(
  state: ScanState,
  start: number,
  rules: MemberRules,
  skip: SkipMember,
): MemberRanges | ScanRefusal {
  const objectAt = skipSpace(state.bytes, start, state.end);
  const first = byteAt(state, objectAt);
  if (first === -1) return emptyBody(objectAt);
  if (first !== OPEN_BRACE) return refuseOtherValue(state, objectAt, rules);

  const walk: MemberWalk = {
    kind: "members",
    starts: rules.allAbsent.slice(),
    ends: rules.allAbsent.slice(),
    problems: [],
  };
  const objectEnd = walkMembers(state, objectAt, rules, skip, walk);
  if (objectEnd === REFUSED || skipRest(state, objectEnd) === REFUSED) return refusalOf(state);
  noteMissing(rules, walk, objectAt);
  const problem = walk.problems[0];
  return problem === undefined ? walk : shapeRefusal(problem, walk.problems);
}

interface MemberWalk extends MemberRanges {
  readonly starts: number[];
  readonly ends: number[];
  readonly problems: ShapeProblem[];
}

/** Returns the offset after the object's closing brace, or `REFUSED`. */
function walkMembers(
  state: ScanState,
  objectAt: number,
  rules: MemberRules,
  skip: SkipMember,
  walk: MemberWalk,
): number {
  state.depth = 1;
  let position = skipSpace(state.bytes, objectAt + 1, state.end);
  if (byteAt(state, position) === CLOSE_BRACE) return position + 1;
  for (;;) {
    const valueStart = skipName(state, position);
    if (valueStart === REFUSED) return REFUSED;
    // With the list full only the syntax is still of interest: a million misspelt names cost no more than any others.
    const isFull = walk.problems.length >= MAX_PROBLEMS;
    const index = isFull ? -1 : knownName(state, rules.names);
    if (!isFull && (index !== -1 || rules.takesOthers !== true)) noteProblem(state, rules, walk, index, valueStart);
    const valueEnd = skip(state, valueStart, index);
    if (valueEnd === REFUSED) return REFUSED;
    if (index !== -1) {
      walk.starts[index] = valueStart;
      walk.ends[index] = valueEnd;
    }
    position = skipSpace(state.bytes, valueEnd, state.end);
    const byte = byteAt(state, position);
    if (byte === CLOSE_BRACE) return position + 1;
    if (byte !== COMMA) return refuseSyntax(state, position, "',' or '}'");
    position = skipSpace(state.bytes, position + 1, state.end);
  }
}

/** Only whitespace may follow the object. */
function skipRest(state: ScanState, start: number): number {
  const position = skipSpace(state.bytes, start, state.end);
  return position === state.end ? position : refuseSyntax(state, position, "nothing after the JSON value");
}

function refuseOtherValue(state: ScanState, start: number, rules: MemberRules): ScanRefusal {
  const end = skipValue(state, start, 0);
  if (end === REFUSED || skipRest(state, end) === REFUSED) return refusalOf(state);
  const message = `Expected ${rules.object}, saw ${kindOfValue(state.bytes[start])}.`;
  return shapeRefusal({ code: "NOT_AN_OBJECT", message, position: start });
}

/** Looks at a member whose name the state holds, before its value is skipped. */
function noteProblem(state: ScanState, rules: MemberRules, walk: MemberWalk, index: number, valueStart: number): void {
  if (index === -1) return noteUnknown(state, rules, walk);
  const field = rules.names[index] as string;
  if (walk.starts[index] !== -1) {
    const message = `"${field}" stands here a second time; a member may be given once.`;
    note(walk, { code: "DUPLICATE_MEMBER", message, position: state.nameStart, field });
  }
  const firstByte = rules.firstBytes[index];
  if (firstByte !== 0 && firstByte !== byteAt(state, valueStart)) {
    noteWrongType(state, rules, walk, index, valueStart);
  }
}

function noteWrongType(state: ScanState, rules: MemberRules, walk: MemberWalk, index: number, start: number): void {
  const field = rules.names[index] as string;
  const kind = kindOfValue(state.bytes[start]);
  const remedy = kind === "null" && index >= rules.requiredCount ? "; leave it out instead" : "";
  const message = `"${field}" must be ${rules.expected[index]}, saw ${kind}${remedy}.`;
  note(walk, { code: "WRONG_TYPE", message, position: start, field });
}

function noteUnknown(state: ScanState, rules: MemberRules, walk: MemberWalk): void {
  const field = shownName(state);
  const nearest = nearestName(field, rules.names);
  const hint = nearest === null ? `known are ${rules.names.join(", ")}.` : `did you mean "${nearest}"?`;
  const message = `${JSON.stringify(field)} is not a member of ${rules.object}; ${hint}`;
  note(walk, { code: "UNKNOWN_MEMBER", message, position: state.nameStart, field });
}

function noteMissing(rules: MemberRules, walk: MemberWalk, objectAt: number): void {
  for (let index = 0; index < rules.requiredCount; index++) {
    if (walk.starts[index] !== -1) continue;
    const field = rules.names[index] as string;
    const message = `"${field}" is missing; expected ${rules.expected[index]}.`;
    note(walk, { code: "MISSING_MEMBER", message, position: objectAt, field });
  }
}

function note(walk: MemberWalk, problem: ShapeProblem): void {
  if (walk.problems.length < MAX_PROBLEMS) walk.problems.push(problem);
}
