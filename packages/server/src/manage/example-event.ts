// A catalogue example as expressions see it, and which paths lead to nothing in it. It must call absent only what a
// real event of the type is not expected to have either: an example shows one event, not all.
import { nearestNames } from "@posthorn/contract";
import type { EventTypeDefinition } from "../catalogue/catalogue.ts";
import { eventScope } from "../expressions/event-scope.ts";
import type { ReadPath } from "../expressions/reads.ts";
import { memberName, readMember, RULE_ROOT, type Scope } from "../expressions/scope.ts";
import { ABSENT, isList, isObject, type Value } from "../expressions/values.ts";

/** A path that leads to nothing: at its root (no event of the type has it) or at a member that the example lacks. */
export interface Absence {
  readonly kind: "root" | "member";
  /** Up to the name that is not there: `order`, `order.totl`. */
  readonly path: string;
  /** What was probably meant, in its place: `order.total`. */
  readonly nearest: string | null;
}

const USUAL_ROOTS = ["event", "data", "previous", "context", "object"];
/** Objects whose members are the tenant's own, or differ from event to event. */
const OPEN_OBJECTS: ReadonlySet<string> = new Set([
  "context",
  "previous",
  "previous_attributes",
  "previousAttributes",
  "customFields",
  "custom_fields",
  "metadata",
]);

export class ExampleEvent {
  readonly type: EventTypeDefinition;
  readonly scope: Scope;

  constructor(type: EventTypeDefinition) {
    const { name, resource, example } = type;
    this.type = type;
    this.scope = eventScope({
      event: { id: "evt_00000000000000000000000000", type: name, timestamp: example.timestamp, livemode: true },
      // Frozen JSON, as it was read from the catalogue's files.
      data: example.data as Value,
      context: example.context as Value,
      resource,
    });
  }

  /**
   * Where a path leads to nothing, or null when it leads to a value or nobody can tell.
   * @param isWalked whether the path goes through lists
   */
  absence(path: ReadPath, isWalked = false): Absence | null {
    const [root, ...members] = path;
    // Whether there is such a rule is another question (definition-uses.ts).
    if (root === RULE_ROOT && members.length > 0) return null;
    let value = this.scope.lookup(root);
    if (value === ABSENT) return { kind: "root", path: root, nearest: nearestIn(root, this.#roots()) };
    let before: string = root;
    for (const [index, member] of members.entries()) {
      // Null in one event is an object in the next.
      if (value === null || OPEN_OBJECTS.has(before)) return null;
      if (isWalked && isList(value)) {
        const holders = value.filter(isObject);
        // An empty list in one event has elements in the next.
        if (holders.length === 0) return null;
        value = holders.find((each) => this.#member(each, member) !== ABSENT) ?? (holders[0] as Value);
      }
      const next = this.#member(value, member);
      if (next === ABSENT) return this.#missingMember(value, path.slice(0, index + 1), member);
      value = next;
      before = member;
    }
    return null;
  }

  #member(holder: Value, member: string): Value {
    return readMember(holder, memberName(member), this.scope.fieldAliases);
  }

  #missingMember(holder: Value, holders: readonly string[], member: string): Absence {
    const known = isObject(holder) ? [...Object.keys(holder), ...Object.keys(this.scope.fieldAliases)] : [];
    const nearest = nearestIn(member, known);
    const holderPath = holders.join(".");
    return {
      kind: "member",
      path: `${holderPath}.${member}`,
      nearest: nearest === null ? null : `${holderPath}.${nearest}`,
    };
  }

  /** All names that can be written: those of every event, of the resource, of the objects inside it. */
  #roots(): string[] {
    const { resource, example } = this.type;
    const nested = Object.entries(example.data.object).filter(([, value]) => isObject(value as Value));
    const names = [...USUAL_ROOTS, resource.name, ...resource.aliases, ...nested.map(([key]) => key)];
    return names.filter((name) => this.scope.lookup(name) !== ABSENT);
  }
}

function nearestIn(name: string, names: readonly string[]): string | null {
  return nearestNames(name, names, 1)[0] ?? null;
}
