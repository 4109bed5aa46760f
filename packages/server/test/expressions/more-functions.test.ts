// The functions for templates: texts, numbers and money, times, lists and objects. Each with what it gives, and with what
// it is not made for.
import { readFileSync } from "node:fs";
import { describe, expect, it, test } from "vitest";
import { FUNCTIONS } from "../../src/expressions/functions.ts";
import { bestMs, errorOf, evaluate, fromJson, shown } from "./support.ts";

const roots = fromJson(
  `{"t":" Aé😀b,c ","e":"😀😀x","n":1.005,"money":"2567.50","big":12345678901234567890.125,"x":null,"l":[3,1,2.5],
    "texts":["a","b","a"],"o":{"id":1,"name":"N","salary":9},"due":"2026-12-01","at":"2026-11-23T16:30:05.250+08:00"}`,
);

const CASES: readonly (readonly [name: string, source: string, result: string])[] = [
  ["trim", "t.trim()", '"Aé😀b,c"'],
  ["trim", "n.trim()", "absent"],
  ["lower", '"ÄB".lower()', '"äb"'],
  ["upper", '"äß".upper()', '"ÄSS"'],
  ["upper", "x.upper()", "absent"],
  ["replace", 't.replace(",", ";")', '" Aé😀b;c "'],
  ["replace", '"aaa".replace("a", "bb")', '"bbbbbb"'],
  ["replace", '"aaa".replace("", "b")', "absent"],
  ["split", '"a,b,,c".split(",")', '["a","b","","c"]'],
  ["split", '"a".split("")', "absent"],
  ["join", 'texts.join("-")', '"a-b-a"'],
  ["join", "l.join()", '"312.5"'],
  ["join", '[1, true, "x"].join(" ")', '"1 true x"'],
  ["join", "[texts].join()", "absent"],
  ["substring", "e.substring(1)", '"😀x"'],
  ["substring", "e.substring(0, 1)", '"😀"'],
  ["substring", "e.substring(0, 9)", "absent"],
  ["substring", "e.substring(-1)", "absent"],
  ["charAt", "e.charAt(2)", '"x"'],
  ["charAt", "e.charAt(3)", '""'],
  ["charAt", "e.charAt(4)", "absent"],
  ["truncate", "e.truncate(2)", '"😀😀"'],
  ["truncate", "e.truncate(99)", '"😀😀x"'],
  ["truncate", "e.truncate(-1)", "absent"],
  ["indexOf", 'e.indexOf("x")', "2"],
  ["indexOf", 'e.indexOf("y")', "-1"],
  ["lastIndexOf", '"abcabc".lastIndexOf("b")', "4"],
  ["padStart", '"7".padStart(3, "0")', '"007"'],
  ["padStart", 'string(7).padStart(3, "0")', '"007"'],
  ["padStart", '"7".padStart(3, "ab")', "absent"],
  ["padStart", '"7".padStart(1000000)', "absent"],
  ["padEnd", '"ab".padEnd(4) + "|"', '"ab  |"'],
  ["urlEncode", 'urlEncode("a b/é?")', '"a%20b%2F%C3%A9%3F"'],
  ["urlEncode", "urlEncode(texts)", "absent"],
  ["json", "json(o)", '"{\\"id\\":1,\\"name\\":\\"N\\",\\"salary\\":9}"'],
  ["json", "json(gone)", "absent"],
  ["base64", 'base64("é")', '"w6k="'],
  ["md5", 'md5("ana@example.com".lowerAscii())', '"cdb9d6a1dddc375a09cc83e3001598dc"'],
  ["sha256", 'sha256("abc")', '"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"'],
  ["sha512", 'sha512("abc").substring(0, 8)', '"ddaf35a1"'],
  ["sha256", "sha256(n)", "absent"],

  ["round", "round(n, 2)", "1.01"],
  ["round", "round(-2.5)", "-3"],
  ["round", "round(2567.5, 2)", "2567.5"],
  ["round", 'round("abc")', "absent"],
  ["round", "round(big, 2) == 12345678901234567890.13", "true"],
  ["round", "round(1, -1)", "absent"],
  ["fixed", "fixed(2567.5, 2)", '"2567.50"'],
  ["fixed", "fixed(money, 0)", '"2568"'],
  ["fixed", "fixed(-0.001, 2)", '"0.00"'],
  ["fixed", "fixed(1e21, 1)", '"1000000000000000000000.0"'],
  ["fixed", "fixed(1e-7, 3)", '"0.000"'],
  ["fixed", "fixed(1e300, 2)", "absent"],
  ["fixed", 'fixed("1e9999999", 2)', "absent"],
  ["fixed", "fixed(true, 2)", "absent"],
  ["formatNumber", "formatNumber(1234567.891, 2)", '"1,234,567.89"'],
  ["formatNumber", 'formatNumber(-1234.5, 2, ".", ",")', '"-1.234,50"'],
  ["formatNumber", "formatNumber(999, 0)", '"999"'],
  ["formatNumber", "formatNumber(gone, 0)", "absent"],
  ["money", 'money(2567.5, "MYR")', '"MYR 2,567.50"'],
  ["money", 'money(2567.5, "JPY")', '"JPY 2,568"'],
  ["money", 'money(1, "BHD")', '"BHD 1.000"'],
  ["money", 'money(1, "ringgit")', "absent"],
  ["minorUnits", 'minorUnits(2567.5, "MYR")', "256750"],
  ["minorUnits", 'minorUnits("0.295", 2)', "30"],
  ["minorUnits", 'minorUnits(x, "MYR")', "absent"],
  ["floor", "floor(-2.5)", "-3"],
  ["ceil", "ceil(2.1)", "3"],
  ["ceil", 'ceil("2")', "absent"],
  ["abs", "abs(-big) == big", "true"],
  ["abs", "abs(-3)", "3"],
  ["sum", "sum(l)", "6.5"],
  ["sum", "sum([0.1, 0.2])", "0.3"],
  ["sum", "sum([])", "0"],
  ["sum", "sum(texts)", "absent"],
  ["min", "min(l)", "1"],
  ["max", "max(l)", "3"],
  ["max", "max([])", "absent"],

  ["formatDate", 'formatDate(due, "dd/MM/yyyy")', '"01/12/2026"'],
  ["formatDate", 'formatDate(due, "d MMM yy", "America/New_York")', '"1 Dec 26"'],
  ["formatDate", 'formatDate(at, "yyyy-MM-dd HH:mm:ss.SSS")', '"2026-11-23 08:30:05.250"'],
  [
    "formatDate",
    'formatDate(at, "EEEE, d MMMM yyyy \'at\' h:mm a XXX", "Asia/Kuala_Lumpur")',
    '"Monday, 23 November 2026 at 4:30 PM +08:00"',
  ],
  ["formatDate", 'formatDate("2026-03-29T00:59:59Z", "HH:mm XX", "Europe/Berlin")', '"01:59 +0100"'],
  ["formatDate", 'formatDate("2026-03-29T01:00:00Z", "HH:mm XX", "Europe/Berlin")', '"03:00 +0200"'],
  ["formatDate", 'formatDate("2026-02-30", "dd")', "absent"],
  ["formatDate", 'formatDate("yesterday", "dd")', "absent"],
  ["formatDate", "formatDate(at, t)", "absent"],
  ["formatDate", 'formatDate(at, "HH", t)', "absent"],
  ["inZone", 'inZone(at, "Asia/Tokyo")', '"2026-11-23T17:30:05.250+09:00"'],
  ["inZone", 'inZone(at, "UTC")', '"2026-11-23T08:30:05.250Z"'],
  ["addDays", "addDays(due, 30)", '"2026-12-31"'],
  ["addDays", "addDays(due, -1)", '"2026-11-30"'],
  ["addDays", 'addDays("2026-03-28T12:00:00+01:00", 1, "Europe/Berlin")', '"2026-03-29T10:00:00.000Z"'],
  ["addDays", 'addDays("2026-03-28T12:00:00+01:00", 1)', '"2026-03-29T11:00:00.000Z"'],
  ["addDays", "addDays(due, 1.5)", "absent"],
  ["addDays", "addDays(due, 99999999)", "absent"],
  ["addMonths", 'addMonths("2026-01-31", 1)', '"2026-02-28"'],
  ["addMonths", 'addMonths("2026-01-31", 12)', '"2027-01-31"'],
  ["addMonths", 'addMonths("9999-12-31", 1)', "absent"],
  ["addSeconds", "addSeconds(at, 90)", '"2026-11-23T08:31:35.250Z"'],
  ["secondsBetween", 'secondsBetween(at, "2026-11-23T08:30:06.250Z")', "1"],
  ["daysBetween", 'daysBetween(due, "2026-12-31")', "30"],
  ["daysBetween", "daysBetween(due, at)", "-7"],
  ["daysBetween", "daysBetween(due, x)", "absent"],
  ["unixSeconds", "unixSeconds(at)", "1795422605"],
  ["unixMilliseconds", "unixMilliseconds(at)", "1795422605250"],
  ["fromUnixSeconds", "fromUnixSeconds(1795422605)", '"2026-11-23T08:30:05.000Z"'],
  ["fromUnixSeconds", "fromUnixSeconds(1e300)", "absent"],

  ["default", 'default(o.note, "-")', '"-"'],
  ["default", "default(x, gone, n)", "1.005"],
  ["default", 'default("", "-")', '""'],
  ["default", "default(x, x)", "absent"],
  ["required", "required(n)", "1.005"],
  ["required", "required(gone)", "fault VALUE_MISSING"],
  ["required", "required(x)", "fault VALUE_MISSING"],
  ["required", 'required("")', "fault VALUE_MISSING"],
  ["first", "first(l)", "3"],
  ["first", "first([])", "absent"],
  ["last", "l.last()", "2.5"],
  ["last", "last([null])", "null"],
  ["distinct", "distinct(texts)", '["a","b"]'],
  ["distinct", "distinct([1, 1.0, o, o])", '[1,{"id":1,"name":"N","salary":9}]'],
  ["flatten", "flatten([[1, [2]], 3])", "[1,[2],3]"],
  ["pick", 'pick(o, ["name", "gone", "id"])', '{"name":"N","id":1}'],
  ["pick", "pick(l, [])", "absent"],
  ["without", 'without(o, ["salary"])', '{"id":1,"name":"N"}'],
  ["merge", 'merge(o, {"id": 2, "note": "x"})', '{"id":2,"name":"N","salary":9,"note":"x"}'],
  ["merge", "merge(o, l)", "absent"],
];

describe("functions for templates", () => {
  it.each(CASES)("%s: %s gives %s", (_name, source, result) => {
    expect(shown(evaluate(source, roots))).toBe(result);
  });

  test("every function has a case here or among the first ones", () => {
    const first = "size contains startsWith endsWith lowerAscii upperAscii string int double bool".split(" ");
    // What other helps than these are proved beside their own rules.
    const elsewhere = new Set(["lookup"]);
    const proved = new Set([...first, ...CASES.map(([name]) => name), ...elsewhere]);
    expect([...FUNCTIONS.keys()].filter((name) => !proved.has(name))).toEqual([]);
  });

  test("every function stands in the guide", () => {
    const guide = readFileSync(new URL("../../../../docs/guides/filters-and-templates.md", import.meta.url), "utf8");
    expect([...FUNCTIONS.keys()].filter((name) => !guide.includes(name))).toEqual([]);
  });

  test.each([
    ['formatDate(at, "DD")', "“DD” means nothing in a pattern"],
    ['formatDate(at, "d \'x")', "begins a text"],
    ['formatDate(at, "dd", "Asia/Kuala Lumpur")', "no time zone"],
    ['inZone(at, "MYT")', "no time zone"],
    ["formatDate(at)", "is called like this"],
    ["default(at)", "is called like this"],
    ['at.formatDate("dd")', "is called like this"],
    ["fixed(n, 2, 3)", "is called like this"],
  ])("a mistake is told when it is saved: %s", (source, part) => {
    expect(errorOf(source).message).toContain(part);
  });

  test("are never parts of an object's prototype", () => {
    const hostile = fromJson('{"o":{"__proto__":{"polluted":1},"constructor":2},"l":["__proto__","constructor"]}');
    expect(shown(evaluate("pick(o, l)", hostile))).toBe('{"__proto__":{"polluted":1},"constructor":2}');
    expect(shown(evaluate("merge({}, o).constructor + 0", hostile))).toBe("2");
    expect(shown(evaluate("without({}, l)", hostile))).toBe("{}");
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });
});

describe("functions given too much", () => {
  const text = "a".repeat(4 << 20);
  const big = {
    text,
    part: `${"a".repeat(3_000)}b`,
    list: Array.from({ length: 300_000 }, (_, index) => index),
    texts: Array.from({ length: 20_000 }, (_, index) => `text ${index}`),
    objects: Array.from({ length: 3_000 }, (_, index) => ({ index })),
    wide: Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, index])),
    digits: "7".repeat(1 << 20),
    longs: fromJson(`{"x":[${Array.from({ length: 2_000 }, () => "9".repeat(1_000)).join(",")}]}`)["x"] as never,
  };
  const BUDGET = "fault BUDGET_EXCEEDED";
  it.each([
    ["text.replace('a', 'bb')", BUDGET],
    ["text.replace(part, 'b')", BUDGET],
    ["text.split('a')", BUDGET],
    ["text.indexOf(part)", BUDGET],
    ["text.upper()", BUDGET],
    ["text.substring(5)", BUDGET],
    ["sha256(text)", BUDGET],
    ["base64(text)", "fault TEXT_TOO_LONG"],
    ["urlEncode(text)", "fault TEXT_TOO_LONG"],
    ["list.map(i, json(wide)).size()", BUDGET],
    ["list.map(i, json(texts)).size()", BUDGET],
    ["list.map(i, sha256(string(i))).size()", BUDGET],
    ["list.map(i, money(i, 'MYR')).size()", BUDGET],
    ["list.map(i, formatDate('2026-01-01T00:00:00Z', 'dd', 'Asia/Tokyo')).size()", BUDGET],
    ["texts.exists(t, formatDate('2026-01-01T00:00:00Z', 'dd', t) == '')", BUDGET],
    ["texts.exists(t, inZone('2026-01-01T00:00:00Z', t) == '')", BUDGET],
    ["list.map(i, addDays('2026-01-01', i)).size()", BUDGET],
    ["sum(list)", BUDGET],
    ["sum(longs)", "absent"],
    ["fixed(digits, 2)", "absent"],
    ["distinct(objects)", BUDGET],
    ["distinct(list)", BUDGET],
    ["list.map(i, merge(wide, wide)).size()", BUDGET],
    ["list.map(i, without(wide, texts)).size()", BUDGET],
    ["list.map(i, flatten([list, list])).size()", BUDGET],
    ["texts.join(text)", "fault TEXT_TOO_LONG"],
    ["list.map(i, texts.join()).size()", BUDGET],
    ["list.map(i, 'x'.padStart(1000)).size()", BUDGET],
    ["max(list)", "299999"],
  ])("%s: %s", (source, result) => {
    let value = "";
    const elapsed = bestMs(() => {
      value = shown(evaluate(source, big)).slice(0, 40);
    });
    expect(value).toBe(result);
    expect(elapsed).toBeLessThan(250);
  });
});
