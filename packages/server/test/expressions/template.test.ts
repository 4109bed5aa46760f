// Templates on plain values and on whole events: types, numbers, missing values, escaping, and what is refused.
import { describe, expect, test } from "vitest";
import { NO_DEFINITIONS } from "../../src/expressions/definitions.ts";
import { parseKeepingTexts } from "../../src/expressions/payload.ts";
import { scopeOfEvent } from "../../src/expressions/scope-of-event.ts";
import { compileTemplate, type Rendering, type Template } from "../../src/expressions/template.ts";
import type { TemplateError } from "../../src/expressions/template-layout.ts";
import type { ValueObject } from "../../src/expressions/values.ts";
import { scopeOf } from "./support.ts";

function templateOf(source: unknown): Template {
  const compiled = compileTemplate(source);
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
  return compiled.template;
}

function errorsOf(source: unknown): readonly TemplateError[] {
  const compiled = compileTemplate(source);
  if (compiled.ok) throw new Error("compiled, although it should not");
  return compiled.errors;
}

/** Renders for roots given as JSON text; the result's text. */
function rendered(source: unknown, roots = "{}"): string {
  const rendering = renderingOf(source, roots);
  if (!rendering.ok) throw new Error(rendering.code);
  return rendering.json;
}

function renderingOf(source: unknown, roots = "{}"): Rendering {
  return templateOf(source).render(scopeOf(parseKeepingTexts(roots) as never));
}

describe("a text that is one expression", () => {
  test("keeps the JSON type of the value", () => {
    const roots = '{"o":{"n":5,"t":"five","yes":true,"no":null,"list":[1,"2",null],"object":{"a":{"b":[]}}}}';
    expect(
      rendered(
        {
          n: "{{ o.n }}",
          t: "{{o.t}}",
          yes: "{{ o.yes }}",
          no: "{{ o.no }}",
          list: "{{ o.list }}",
          object: "{{ o.object }}",
        },
        roots,
      ),
    ).toBe('{"n":5,"t":"five","yes":true,"no":null,"list":[1,"2",null],"object":{"a":{"b":[]}}}');
  });

  test.each([
    "9007199254740993",
    "12345678901234567890.123456789012345678901234567890",
    "1e400",
    "-1E-400",
    "1.10",
    "100.00",
    "2567.50",
    "-0",
    "-0.0",
    "1e2",
    "0.0000001",
    "1.0E+2",
    "0.1",
    "7",
  ])("writes the number %s as the payload wrote it, alone, inside and between text", (number) => {
    expect(rendered("{{ o.x }}", `{"o":{"x":${number}}}`)).toBe(number);
    expect(rendered({ a: ["{{ o }}"] }, `{"o":{"x":[${number}, {"y": ${number}}]}}`)).toBe(
      `{"a":[{"x":[${number},{"y":${number}}]}]}`,
    );
    expect(rendered("RM {{ o.x }}.", `{"o":{"x":${number}}}`)).toBe(`"RM ${number}."`);
  });

  test("computes with numbers that keep their text as with any other", () => {
    const roots = '{"o":{"a":1.10,"i":1.0,"list":["x","y"],"big":9007199254740993}}';
    expect(rendered("{{ o.a + 1.0 }}", roots)).toBe("2.1");
    expect(rendered("{{ o.a == 1.1 && o.big > 9007199254740992 }}", roots)).toBe("true");
    expect(rendered("{{ o.list[o.i] }}", roots)).toBe('"y"');
    expect(rendered("{{ -o.a }}", roots)).toBe("-1.10");
    expect(rendered("{{ string(o.a) }}", roots)).toBe('"1.10"');
  });

  test("writes null for what is missing, and says which part it was", () => {
    const rendering = renderingOf(
      { lines: [{ sku: "{{ o.lines[0].sku }}" }], id: "{{o.id}}", "a b": "{{ nothing }}" },
      '{"o":{"id":1}}',
    );
    expect(rendering).toEqual({
      ok: true,
      json: '{"lines":[{"sku":null}],"id":1,"a b":null}',
      missing: [
        { path: "lines[0].sku", expression: "o.lines[0].sku" },
        { path: '["a b"]', expression: "nothing" },
      ],
    });
  });

  test("does not call a present null, or a choice for what is missing, a missing value", () => {
    expect(renderingOf(["{{ o.note }}", '{{ has(o.x) ? o.x : "none" }}'], '{"o":{"note":null}}')).toEqual({
      ok: true,
      json: '[null,"none"]',
      missing: [],
    });
  });
});

describe("an expression between text", () => {
  test("makes a text of every value; null and missing are nothing", () => {
    const roots = '{"o":{"n":1.50,"t":"x","b":false,"z":null,"list":[1,"a\\"b"],"object":{"k":1}}}';
    expect(rendered("{{o.n}}|{{o.t}}|{{o.b}}|{{o.z}}|{{o.gone}}|{{o.list}}|{{o.object}}", roots)).toBe(
      JSON.stringify('1.50|x|false|||[1,"a\\"b"]|{"k":1}'),
    );
    expect(renderingOf("No {{ o.gone }}", roots)).toMatchObject({ missing: [{ path: "", expression: "o.gone" }] });
  });

  test("keeps the blanks around an expression: only a text that is nothing else keeps the type", () => {
    expect(rendered(" {{ o }}", '{"o":1}')).toBe('" 1"');
    expect(rendered("{{ o }}{{ o }}", '{"o":1}')).toBe('"11"');
  });
});

describe("where an expression ends", () => {
  test.each([
    ['{{ "}}" }}', '"}}"'],
    ["{{ 'a}}b' + \"{{\" }}", '"a}}b{{"'],
    ['{{ r"\\}}" }}', '"\\\\}}"'],
    ['{{ {"a": {"b": 1}} }}', '{"a":{"b":1}}'],
    ['{{{"a": {"b": 1}}}}', '{"a":{"b":1}}'],
    ['{{ "\\"}}" }}!', '"\\"}}!"'],
    ["a }} b", '"a }} b"'],
    ["a { b } c", '"a { b } c"'],
    ['{{ "{{" }} stays', '"{{ stays"'],
    ['{{ """two\n}}lines""" }}', '"two\\n}}lines"'],
  ])("%s", (source, expected) => {
    expect(rendered(source)).toBe(expected);
  });

  test("an expression that is not closed is refused where it begins", () => {
    expect(errorsOf({ a: { b: "total: {{ o.total }" } })).toEqual([
      expect.objectContaining({ path: "a.b", code: "EXPRESSION_NOT_CLOSED", position: 7 }),
    ]);
    expect(errorsOf("{{ 'a }}")[0]?.code).toBe("UNTERMINATED_TEXT");
  });
});

describe("the rest of a template", () => {
  test("is written as it stands", () => {
    const source = JSON.parse('{"s":"a\\"b\\n\\u20ac","n":1.5,"i":-7,"t":true,"f":false,"z":null,"l":[[],{}],"":"x"}');
    expect(JSON.parse(rendered(source))).toEqual(source);
    expect(rendered("just text")).toBe('"just text"');
    expect(rendered(5)).toBe("5");
    expect(rendered(null)).toBe("null");
  });

  test("may use any key, those of JavaScript's own objects too, and copies such members", () => {
    const source = JSON.parse('{"__proto__":"{{ o }}","constructor":"{{ o.constructor }}","toJSON":{"__proto__":[]}}');
    const roots = '{"o":{"__proto__":{"x":1},"constructor":"c","toJSON":"t","hasOwnProperty":1}}';
    expect(rendered(source, roots)).toBe(
      '{"__proto__":{"__proto__":{"x":1},"constructor":"c","toJSON":"t","hasOwnProperty":1},' +
        '"constructor":"c","toJSON":{"__proto__":[]}}',
    );
    expect(rendered("{{ o.__proto__.x }}", '{"o":{}}')).toBe("null");
  });

  test("keeps what a payload says inside one JSON text, whatever it says", () => {
    const evil = '"},"admin":true,{"x":"\\u0000\\u2028\\ud800{{ o.secret }}\\\\';
    const roots = `{"o":{"name":${JSON.stringify(evil)},"secret":"s3cret","half":"\\ud83d","other":"\\ude00"}}`;
    expect(JSON.parse(rendered({ name: "{{ o.name }}", hello: "Hello {{ o.name }}!" }, roots))).toEqual({
      name: evil,
      hello: `Hello ${evil}!`,
    });
    expect(Buffer.from(rendered("{{ o.half }}", roots)).toString()).toBe('"\\ud83d"');
  });
});

describe("what is refused when a template is saved", () => {
  test("expressions that are none, all at once, each with its path and place", () => {
    expect(errorsOf({ a: "{{ order. }}", b: [{ "c.d": "x {{ 1 + }} y" }], c: "{{ }}" })).toEqual([
      expect.objectContaining({ path: "a", code: "UNEXPECTED_TOKEN", position: 10 }),
      expect.objectContaining({ path: 'b[0]["c.d"]', code: "UNEXPECTED_TOKEN", position: 9 }),
      expect.objectContaining({ path: "c", code: "EMPTY_EXPRESSION" }),
    ]);
  });

  test("an expression in a key, because it would be taken literally", () => {
    expect(errorsOf({ lines: { "{{ order.id }}": 1 } })).toEqual([
      expect.objectContaining({ path: 'lines["{{ order.id }}"]', code: "EXPRESSION_IN_KEY" }),
    ]);
  });

  test("numbers that JSON.parse has changed already", () => {
    for (const text of ["9007199254740993", "1e400", "1e30"]) {
      expect(errorsOf(JSON.parse(`{"n":${text}}`))).toMatchObject([{ path: "n", code: "INVALID_LITERAL" }]);
    }
    expect(rendered('{{ {"n": 9007199254740993} }}')).toBe('{"n":9007199254740993}');
  });

  test("texts that could not be stored", () => {
    expect(errorsOf({ a: "\u0000", "\ud800": 1 }).map(({ code }) => code)).toEqual([
      "INVALID_LITERAL",
      "INVALID_LITERAL",
    ]);
  });

  test("trees that are too deep, too long or hold too many expressions, without running out of stack or time", () => {
    const deep = JSON.parse("[".repeat(200_000) + "]".repeat(200_000)) as unknown;
    expect(errorsOf(deep)).toMatchObject([{ code: "TEMPLATE_TOO_DEEP" }]);
    expect(errorsOf({ a: "x".repeat(70_000) })).toMatchObject([{ path: "a", code: "TEMPLATE_TOO_LARGE" }]);
    expect(errorsOf({ a: "{{ x }}".repeat(100_000) })).toMatchObject([{ path: "a", code: "TEMPLATE_TOO_LARGE" }]);
    const many = Array.from({ length: 501 }, () => "{{ x }}");
    expect(errorsOf(many)).toMatchObject([{ path: "[500]", code: "TOO_MANY_EXPRESSIONS" }]);
    expect(templateOf(many.slice(1)).holes).toHaveLength(500);
    expect(errorsOf(Array.from({ length: 400 }, () => "{{ ( }}"))).toHaveLength(20);
  });

  test("patterns that together take too long to compile", () => {
    const source = Array.from({ length: 20 }, (_, index) => `{{ o.x.matches("a{100}${index}") }}`);
    expect(errorsOf(source)[0]).toMatchObject({ path: "[2]", code: "PATTERN_TOO_LARGE" });
  });
});

describe("a template that goes beyond its limits on an event", () => {
  const items = (count: number) => `{"o":{"items":[${Array.from({ length: count }, () => '{"n":1}').join(",")}]}}`;

  test("is stopped with the place where it was, and stops the same way again", () => {
    const source = { ok: "{{ o.items[0].n }}", slow: { sum: "{{ o.items.map(a, o.items.map(b, a.n + b.n)) }}" } };
    const template = templateOf(source);
    const scope = scopeOf(parseKeepingTexts(items(2_000)) as never);
    const rendering = template.render(scope);
    expect(rendering).toMatchObject({ ok: false, path: "slow.sum", code: "BUDGET_EXCEEDED" });
    expect(template.render(scope)).toEqual(rendering);
    expect(template.render(scopeOf(parseKeepingTexts(items(3)) as never)).ok).toBe(true);
  });

  test("shares one budget among all its expressions", () => {
    const one = "{{ o.items.map(a, o.items.map(b, a.n + b.n)) }}";
    expect(renderingOf([one], items(250)).ok).toBe(true);
    expect(
      renderingOf(
        Array.from({ length: 30 }, () => one),
        items(250),
      ),
    ).toMatchObject({ code: "BUDGET_EXCEEDED" });
  });

  test("copies a payload of ten million characters, and not four times", () => {
    const roots = `{"o":"${"x".repeat(10 * 1024 * 1024)}"}`;
    expect(rendered("{{ o }}", roots).length).toBe(10 * 1024 * 1024 + 2);
    expect(renderingOf(["{{ o }}", "{{ o }}"], roots)).toMatchObject({
      ok: false,
      path: "[1]",
      code: "BODY_TOO_LARGE",
    });
    const numbers = `{"o":[${Array.from({ length: 2_000_000 }, () => "1.0").join(",")}]}`;
    expect(rendered("{{ o }}", numbers)).toHaveLength(2_000_000 * 4 + 1);
  });
});

test("an event's names, both spellings and field aliases are the same as in filters", () => {
  const event = {
    publicId: "evt_1",
    type: "sales_order.updated",
    timestamp: "2026-11-01T08:00:00Z",
    livemode: true,
    data: Buffer.from('{"object":{"customerId":"c1","createdAt":"t"},"previous_attributes":{"total":1.20}}'),
    context: Buffer.from('{"companyId":"company_1"}'),
  };
  const names = { name: "sales_order", aliases: ["order"], fieldAliases: { created_date: "createdAt" } };
  const rendering = templateOf({
    ids: ["{{ event.id }}", "{{ event.type }}", "{{ event.timestamp }}", "{{ event.livemode }}"],
    order: ["{{ order.customer_id }}", "{{ salesOrder.created_date }}", "{{ object.customerId }}"],
    previous: "{{ previous.total }}",
    company: "{{ context.company_id }}",
  }).render(scopeOfEvent(event, names, NO_DEFINITIONS, parseKeepingTexts));
  expect(rendering).toEqual({
    ok: true,
    json:
      '{"ids":["evt_1","sales_order.updated","2026-11-01T08:00:00Z",true],"order":["c1","t","c1"],' +
      '"previous":1.20,"company":"company_1"}',
    missing: [],
  });
});

describe("parts with a condition", () => {
  const written = (template: unknown, roots: ValueObject = {}): string => {
    const compiled = compileTemplate(template);
    if (!compiled.ok) throw new Error(JSON.stringify(compiled.errors));
    const rendering = compiled.template.render(scopeOf(roots));
    return rendering.ok ? rendering.json : `failed at ${rendering.path}: ${rendering.code}`;
  };
  const when = (condition: unknown, value: unknown = 1) => ({ $when: condition, $value: value });

  test.each<[unknown, string]>([
    [{ a: when("x > 1"), b: when("x > 5"), c: 3 }, '{"a":1,"c":3}'],
    [{ a: when("x > 5"), b: when("x > 5") }, "{}"],
    [{ a: when("x > 5"), b: 2, c: when("x == 2", "{{ x }}") }, '{"b":2,"c":2}'],
    [[when("false"), when("true", "a"), "b", when("gone")], '["a","b"]'],
    [{ a: when("gone"), b: when("x") }, "{}"],
    [{ a: when("{{ x > 1 }}", { inner: when("true", [when("false")]) }), z: "{{ x }}" }, '{"a":{"inner":[]},"z":2}'],
    [[[{ a: when("has(gone)") }], "{{ x }}"], "[[{}],2]"],
    [{ 'k"1': when("true", null) }, '{"k\\"1":null}'],
  ])("%j", (template, json) => {
    expect(written(template, { x: 2 })).toBe(json);
    expect(() => JSON.parse(written(template, { x: 2 }))).not.toThrow();
  });

  test("are not missed when they are left out, and told with their place when they fail", () => {
    const compiled = compileTemplate({ a: when("has(note)", "{{ note }}"), b: "{{ note }}" });
    if (!compiled.ok) throw new Error("does not compile");
    expect(compiled.template.holes.map(({ path }) => path)).toEqual(["b"]);
    expect(compiled.template.render(scopeOf({}))).toMatchObject({ missing: [{ path: "b", expression: "note" }] });
    expect(written({ a: when("required(gone)") })).toBe("failed at a.$when: VALUE_MISSING");
    expect(written({ a: when("true", "{{ required(gone) }}") })).toBe("failed at a: VALUE_MISSING");
  });

  test.each<[unknown, string, string]>([
    [when("true"), "", "nothing around it"],
    [{ a: { $when: "true" } }, "a", "$value"],
    [{ a: { $when: "true", $value: 1, $else: 2 } }, "a", "nothing else"],
    [{ a: when(true) }, "a.$when", "is an expression"],
    [{ a: when("a {{ b }}") }, "a.$when", "one expression"],
    [{ a: when("x >") }, "a.$when", "expected"],
    [{ a: when("true", when("true")) }, "a", "nothing around it"],
  ])("%j is refused at %j", (template, path, message) => {
    const compiled = compileTemplate(template);
    expect(compiled.ok ? "compiles" : compiled.errors[0]).toMatchObject({
      path,
      message: expect.stringContaining(message),
    });
  });
});
