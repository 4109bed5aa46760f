// What a template writes, told by its media type: JSON, a form, text, or text that is XML. And the forms themselves.
// Must know every type that can be saved: what is not named here is refused there.
import { formEncoded } from "../lib/percent-encoding.ts";
import { ExpressionFault } from "./errors.ts";
import { plainText } from "./json-text.ts";
import { MAX_RENDERED_LENGTH } from "./limits.ts";
import { isList, isObject, ownMember, type Value } from "./values.ts";

export type TemplateEncoding = "json" | "form" | "text" | "xml";

/** All in UTF-8, said or not (RFC 8259, section 8.1; RFC 6839, sections 3.1 and 3.4). */
const UTF8 = '(?: *; *charset="?utf-8"?)?';
const TOKEN = "[a-z0-9][a-z0-9!#$&^_.-]*";
const MEDIA_TYPES: readonly (readonly [TemplateEncoding, RegExp])[] = [
  ["json", new RegExp(`^application/(?:${TOKEN}\\+)?json${UTF8}$`, "i")],
  ["form", new RegExp(`^application/x-www-form-urlencoded${UTF8}$`, "i")],
  ["xml", new RegExp(`^(?:(?:application|text)/(?:${TOKEN}\\+)?xml|text/html)${UTF8}$`, "i")],
  ["text", new RegExp(`^text/${TOKEN}${UTF8}$`, "i")],
];

/** What a template of this media type writes; null for one that none can write. */
export function encodingOf(contentType: string): TemplateEncoding | null {
  return MEDIA_TYPES.find(([, pattern]) => pattern.test(contentType))?.[0] ?? null;
}

/**
 * A value as a form: members in their order, what is inside others by its path (`customer[name]`, `items[0][sku]`),
 * missing and `null` empty. Numbers have the payload's text.
 */
export function formText(value: Value): string {
  const pairs: string[] = [];
  let length = 0;
  /** @param name encoded already: of a list of lines it is the same for each */
  const add = (name: string, inner: Value): void => {
    if (isList(inner)) {
      inner.forEach((element, index) => add(`${name}%5B${index}%5D`, element));
    } else if (isObject(inner)) {
      for (const key of Object.keys(inner)) {
        const encoded = formEncoded(key);
        add(name === "" ? encoded : `${name}%5B${encoded}%5D`, ownMember(inner, key));
      }
    } else {
      const pair = `${name}=${formEncoded(plainText(inner))}`;
      length += pair.length + 1;
      if (length > MAX_RENDERED_LENGTH) throw tooLong();
      pairs.push(pair);
    }
  };
  add("", value);
  return pairs.join("&");
}

function tooLong(): ExpressionFault {
  const message = `The form has more than ${MAX_RENDERED_LENGTH} characters for this event. Copy less of the payload.`;
  return new ExpressionFault("BODY_TOO_LARGE", message);
}

/** A value in the text of an XML element or attribute: nothing of it becomes markup. */
export function xmlText(text: string): string {
  return text.replaceAll(XML_SPECIAL, (character) => XML_ESCAPES[character] ?? "");
}

/** What XML 1.0 (section 2.2) cannot hold at all is left out. */
// oxlint-disable-next-line no-control-regex -- control characters are what is looked for
const XML_SPECIAL = /[&<>"'\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g;
const XML_ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
