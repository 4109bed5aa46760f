// The names that an expression about one event can read (contract page, "Filters").
// Lazy: data and context are asked for at most once, and only when a name needs them.
import { type FieldAliases, memberName, memberOf, readMember, type Scope, type ScopeDefinitions } from "./scope.ts";
import { otherSpelling } from "./spelling.ts";
import { ABSENT, isObject, ownMember, type Value } from "./values.ts";
import { keyOfName } from "./words.ts";

export interface EventScopeInput {
  readonly event: {
    readonly id: string;
    readonly type: string;
    readonly timestamp: string;
    readonly livemode: boolean;
  };
  /** The parsed payload (`parsePayload`), or how to get it. */
  readonly data: Value | (() => Value);
  readonly context: Value | (() => Value);
  /** What the catalogue knows of the event's resource: `sales_order`, its aliases (`order`) and its field aliases. */
  readonly resource: {
    readonly name: string;
    readonly aliases: readonly string[];
    readonly fieldAliases: FieldAliases;
  };
  /** The tenant's rules and code tables. */
  readonly definitions?: ScopeDefinitions;
}

/**
 * The scope of one event. A name is, in this order of precedence:
 * 1. `event`, `data`, `previous` (`data.previous_attributes`), `context` or `object` (`data.object` where data has
 *    one, else data itself);
 * 2. the resource's name or one of its aliases, in either spelling: the same as `object`;
 * 3. the key of an object nested in `object`, in either spelling or by field alias. Texts, numbers and lists are not
 *    names: they are read as members.
 * In 2 and 3 a word that CEL reserves is written with an underscore behind it (`return_`).
 */
export function eventScope(input: EventScopeInput): Scope {
  return new EventScope(input);
}

class EventScope implements Scope {
  readonly fieldAliases: FieldAliases;
  readonly definitions: ScopeDefinitions;
  readonly #input: EventScopeInput;
  /** Every name is resolved once per event, however many expressions read it. */
  readonly #resolved = new Map<string, Value>();

  constructor(input: EventScopeInput) {
    this.#input = input;
    this.fieldAliases = input.resource.fieldAliases;
    this.definitions = input.definitions ?? NONE;
  }

  lookup(name: string): Value {
    const known = this.#resolved.get(name);
    if (known !== undefined) return known;
    const value = this.#resolve(name);
    this.#resolved.set(name, value);
    return value;
  }

  #resolve(name: string): Value {
    switch (name) {
      case "event":
        return { ...this.#input.event };
      case "data":
        return valueOf(this.#input.data);
      case "context":
        return valueOf(this.#input.context);
      case "previous":
        return readMember(this.lookup("data"), PREVIOUS_ATTRIBUTES, this.fieldAliases);
      case "object":
        return this.#object();
      default:
        return this.#isResource(name) ? this.lookup("object") : this.#nestedObject(name);
    }
  }

  #object(): Value {
    const data = this.lookup("data");
    const object = isObject(data) ? ownMember(data, "object") : ABSENT;
    return object === ABSENT ? data : object;
  }

  #isResource(written: string): boolean {
    const { name, aliases } = this.#input.resource;
    // Nearly every name is written as the catalogue gives it; only others are worth computing spellings for.
    if (written === name || aliases.includes(written)) return true;
    const key = keyOfName(written);
    return isSameName(key, name) || aliases.some((alias) => isSameName(key, alias));
  }

  #nestedObject(name: string): Value {
    const object = this.lookup("object");
    if (!isObject(object)) return ABSENT;
    const nested = memberOf(object, memberName(keyOfName(name)), this.fieldAliases);
    return isObject(nested) ? nested : ABSENT;
  }
}

const NONE: ScopeDefinitions = { rule: () => undefined, table: () => undefined };
const PREVIOUS_ATTRIBUTES = memberName("previous_attributes");

function isSameName(written: string, given: string): boolean {
  return written === given || otherSpelling(written) === given || written === otherSpelling(given);
}

function valueOf(value: Value | (() => Value)): Value {
  return typeof value === "function" ? value() : value;
}
