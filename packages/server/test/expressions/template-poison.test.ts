// Hostile templates and payloads: in JSON, forms, texts, URLs, headers and conditions nothing throws, nothing hangs, nothing
// reaches a prototype, and what is written is still what its media type says.
import { afterAll, describe, expect, it, test } from "vitest";
import { encodingOf, formText, xmlText } from "../../src/expressions/encodings.ts";
import { plainText } from "../../src/expressions/json-text.ts";
import { parseKeepingTexts } from "../../src/expressions/payload.ts";
import { compileTemplate } from "../../src/expressions/template.ts";
import { compileText } from "../../src/expressions/text-template.ts";
import { compileHeaderValue, compileUrl, renderHeaderValue } from "../../src/expressions/url-template.ts";
import type { Value } from "../../src/expressions/values.ts";
import { POISON } from "./poison-corpus.ts";
import { bestMs, fromJson, scopeOf } from "./support.ts";

const ENOUGH_MS = 300;
const prototypeKeys = JSON.stringify(Reflect.ownKeys(Object.prototype).map(String));
afterAll(() => {
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect(JSON.stringify(Reflect.ownKeys(Object.prototype).map(String))).toBe(prototypeKeys);
});

const hostile = fromJson(
  '{"order":{"total":1,"status":"x","__proto__":{"polluted":1},"constructor":"y"},"a":[0,1],"t":"aaaaaaaaaaaaaaaaaaaaaaaaaaaa!"}',
);
const scope = scopeOf(hostile);

/** Every way in which a source can stand in a webhook. */
function renderEverywhere(source: string): void {
  const hole = `{{ ${source} }}`;
  for (const template of [hole, { x: `a ${hole} b` }, [{ $when: source, $value: 1 }, hole], source]) {
    const compiled = compileTemplate(template);
    if (!compiled.ok) {
      for (const { message } of compiled.errors) expect(message.length).toBeLessThan(300);
      continue;
    }
    const rendering = compiled.template.render(scope);
    if (rendering.ok) expect(() => JSON.parse(rendering.json)).not.toThrow();
  }
  const url = compileUrl(`https://example.com/x/${hole}?y=${hole}`);
  if (url.ok) {
    const rendering = url.url.render(scope);
    if (rendering.ok) expect(new URL(rendering.text).origin).toBe("https://example.com");
  }
  const header = compileHeaderValue(hole);
  if (header.ok) {
    const rendering = renderHeaderValue(header.template, scope);
    if (rendering.ok) expect(rendering.text).toMatch(/^[\x20-\x7e]*$/);
  }
  const text = compileText(`<x>${hole}</x>`, () => (value) => xmlText(plainText(value)));
  if (text.ok) text.template.render(scope);
}

describe("templates from the poison corpus", () => {
  it.each([...POISON, "}}{{", "{{ {{ 1 }} }}", '"}}"', "order}} {{order", "\\u007b\\u007b"])("%s", (source) => {
    expect(bestMs(() => renderEverywhere(source))).toBeLessThan(ENOUGH_MS);
  });

  test.each([
    ["a template of a megabyte", "x".repeat(1 << 20)],
    ["a thousand holes", "{{ 1 }}".repeat(1_000)],
    ["braces without end", "{{".repeat(20_000)],
    ["a hole that is not closed, often", "{{ a ".repeat(5_000)],
    ["deep lists", JSON.parse("[".repeat(2_000) + "]".repeat(2_000))],
    [
      "deep conditions",
      Array.from({ length: 200 }).reduce((inner) => [{ $when: "true", $value: inner }], 1 as unknown),
    ],
    ["many members", Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, index]))],
    [
      "members of a prototype",
      JSON.parse('{"__proto__":{"polluted":"{{ 1 }}"},"constructor":{"$when":"true","$value":1}}'),
    ],
  ])("%s compiles or is refused, at once", (_name, template) => {
    let json = "null";
    const elapsed = bestMs(() => {
      const compiled = compileTemplate(template);
      if (!compiled.ok) return;
      const rendering = compiled.template.render(scope);
      if (rendering.ok) json = rendering.json;
    });
    expect(elapsed).toBeLessThan(ENOUGH_MS);
    expect(() => JSON.parse(json)).not.toThrow();
  });
});

describe("payloads that mean to be syntax", () => {
  const values = [
    '"',
    "\\",
    "\u0000",
    "\u2028",
    "]}",
    "{{ 1 }}",
    "</script>",
    "]]>",
    "&a=b",
    "\r\nX-Evil: 1",
    "\ud800",
    "%00",
    "=HYPERLINK(1)",
  ];
  it.each(values)("%j stays inside its JSON text, form value and element", (value) => {
    const roots = scopeOf({ v: value });
    const json = compileTemplate({ a: "{{ v }}", b: "x{{ v }}y", c: ["{{ [v] }}"] });
    if (!json.ok) throw new Error("does not compile");
    const rendering = json.template.render(roots);
    if (!rendering.ok) throw new Error(rendering.message);
    expect(JSON.parse(rendering.json)).toEqual({ a: value, b: `x${value}y`, c: [[value]] });
    const wellFormed = Buffer.from(value, "utf8").toString("utf8");
    expect([...new URLSearchParams(formText(parseKeepingTexts(rendering.json)))][0]).toEqual(["a", wellFormed]);
    expect(xmlText(value)).not.toMatch(/[<>"']|&(?!amp;|lt;|gt;|quot;|#39;)/);
  });

  test("a form of a payload of many members ends at its limit", () => {
    const wide: Value = Array.from({ length: 200_000 }, (_, index) => ({ ["x".repeat(50)]: index }));
    let code = "";
    const elapsed = bestMs(() => {
      try {
        formText({ wide });
      } catch (fault) {
        code = (fault as { code: string }).code;
      }
    });
    expect(code === "" || code === "BODY_TOO_LARGE").toBe(true);
    expect(elapsed).toBeLessThan(2_000);
    expect(encodingOf("application/x-www-form-urlencoded")).toBe("form");
  });
});
