// Values to JSON text, for templates: numbers by their source text, texts escaped, members under their own keys.
// Whatever a payload holds stays one JSON value: nothing of it may become syntax.
import { ExpressionFault } from "./errors.ts";
import { MAX_RENDERED_LENGTH } from "./limits.ts";
import { ExactNumber } from "./numbers.ts";
import { ABSENT, isList, ownMember, type Value, type ValueList, type ValueObject } from "./values.ts";

/** Text that grows up to a limit; beyond it writing throws an ExpressionFault (`BODY_TOO_LARGE`). */
export class JsonText {
  readonly #limit: number;
  #text = "";

  /** @param limit characters */
  constructor(limit = MAX_RENDERED_LENGTH) {
    this.#limit = limit;
  }

  get text(): string {
    return this.#text;
  }

  /** Appends a piece of JSON as it is. */
  append(json: string): void {
    if (this.#text.length + json.length > this.#limit) {
      throw new ExpressionFault(
        "BODY_TOO_LARGE",
        `The template writes more than ${this.#limit} characters for this event. Copy less of the payload.`,
      );
    }
    this.#text += json;
  }

  /** Appends a value; an absent one is `null`. The nesting of values is bounded where they are made. */
  write(value: Value): void {
    if (typeof value === "string") this.append(JSON.stringify(value));
    else if (isList(value)) this.#writeList(value);
    else if (typeof value !== "object" || value === null || value instanceof ExactNumber) this.append(scalar(value));
    // What is left is an object.
    else this.#writeObject(value as ValueObject);
  }

  /** Appends the inside of a JSON text: the value as it reads, without quotes. Missing and `null` are empty. */
  writeInText(value: Value): void {
    this.append(insideQuotes(plainText(value)));
  }

  #writeList(list: ValueList): void {
    this.append("[");
    list.forEach((element, index) => {
      if (index > 0) this.append(",");
      this.write(element);
    });
    this.append("]");
  }

  #writeObject(object: ValueObject): void {
    this.append("{");
    let separator = "";
    for (const key of Object.keys(object)) {
      this.append(`${separator}${JSON.stringify(key)}:`);
      this.write(ownMember(object, key));
      separator = ",";
    }
    this.append("}");
  }
}

function scalar(value: Exclude<Value, string | ValueList | ValueObject>): string {
  if (value instanceof ExactNumber) return value.text;
  // Nothing that an expression yields is infinite; JSON has no word for it.
  if (value === ABSENT || (typeof value === "number" && !Number.isFinite(value))) return "null";
  return String(value);
}

/** A value as it reads: a text as it is, missing and `null` as nothing, lists and objects as JSON. */
export function plainText(value: Value): string {
  if (value === ABSENT || value === null) return "";
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value instanceof ExactNumber) return scalar(value);
  const json = new JsonText();
  json.write(value);
  return json.text;
}

/** Half a surrogate pair comes out as an escape, so two halves from two values are still two escapes. */
export function insideQuotes(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}
