// Shapes of JSON values, merged over many examples and printed as TypeScript. Pure; must never look at a value's text.

/**
 * Collects shapes under names. An object that has all the members of a known one is that one wherever it stands: the
 * order inside a payment is a SalesOrder.
 */
export class Shapes {
  /** Name → member names, of those objects that are known by sight. */
  #known;
  /** Name → its shape, merged over everything seen. */
  #named = new Map();

  constructor(known) {
    this.#known = [...known].sort(([, a], [, b]) => b.length - a.length);
  }

  /** Takes an object in; the result is the name of its interface. */
  add(name, object) {
    const shape = this.#shapeOf(object);
    if (shape.name !== undefined) return shape.name;
    this.#merge(name, shape);
    return name;
  }

  /** Old values of some members of what `name` stands for. */
  addPart(name, part) {
    this.#merge(name, this.#membersOf(part));
  }

  /** All interfaces as text, by name. */
  print() {
    const printed = new Map();
    const queue = [...this.#named].sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [name, shape] of queue) {
      const members = [...shape.members].map(
        ([key, member]) => `  readonly ${quoted(key)}?: ${typeText(member, name, key, queue)};`,
      );
      printed.set(name, `export interface ${name} {\n${members.join("\n")}\n}`);
    }
    return [...printed].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text);
  }

  #merge(name, shape) {
    const before = this.#named.get(name);
    this.#named.set(name, before === undefined ? shape : mergeShapes(before, shape));
  }

  #shapeOf(value) {
    if (value === null) return { kinds: new Set(["null"]) };
    if (Array.isArray(value)) {
      const items = value.map((item) => this.#shapeOf(item));
      return { kinds: new Set(["array"]), items: items.length === 0 ? undefined : items.reduce(mergeShapes) };
    }
    if (typeof value !== "object") return { kinds: new Set([typeof value]) };
    const found = this.#known.find(([, keys]) => keys.every((key) => Object.hasOwn(value, key)));
    if (found === undefined) return this.#membersOf(value);
    this.#merge(found[0], this.#membersOf(value));
    return { kinds: new Set(["object"]), name: found[0] };
  }

  #membersOf(object) {
    const members = new Map(Object.entries(object).map(([key, member]) => [key, this.#shapeOf(member)]));
    return { kinds: new Set(["object"]), members };
  }
}

/** Everything that either of them shows. */
function mergeShapes(a, b) {
  const merged = { kinds: new Set([...a.kinds, ...b.kinds]), name: a.name ?? b.name };
  if (a.members !== undefined || b.members !== undefined) {
    merged.members = new Map(a.members);
    for (const [key, member] of b.members ?? []) {
      const before = merged.members.get(key);
      merged.members.set(key, before === undefined ? member : mergeShapes(before, member));
    }
  }
  merged.items = a.items && b.items ? mergeShapes(a.items, b.items) : (a.items ?? b.items);
  return merged;
}

/** A shape as a type; objects without a name get one after where they stand, and into `queue`. */
function typeText(shape, holder, key, queue) {
  const kinds = [...shape.kinds].sort();
  // Only ever seen as null: there is a member, and nothing is known of it.
  if (kinds.length === 1 && kinds[0] === "null") return "unknown";
  const texts = kinds.map((kind) => {
    if (kind === "object") return objectText(shape, holder + key[0].toUpperCase() + key.slice(1), queue);
    if (kind !== "array") return kind;
    const item = shape.items === undefined ? "unknown" : typeText(shape.items, holder, singular(key), queue);
    return item.includes(" | ") ? `readonly (${item})[]` : `readonly ${item}[]`;
  });
  return [...texts.filter((text) => text !== "null"), ...texts.filter((text) => text === "null")].join(" | ");
}

function objectText(shape, wantedName, queue) {
  if (shape.name !== undefined) return shape.name;
  if (shape.members.size === 0) return "Readonly<Record<string, unknown>>";
  if (queue.some(([name]) => name === wantedName)) throw new Error(`two interfaces would be named ${wantedName}`);
  queue.push([wantedName, shape]);
  return wantedName;
}

const quoted = (key) => (/^[A-Za-z_]\w*$/.test(key) ? key : JSON.stringify(key));

function singular(text) {
  if (text.endsWith("ies")) return `${text.slice(0, -3)}y`;
  return text.endsWith("sses") ? text.slice(0, -2) : text.replace(/(?<=[^s])s$/, "");
}
