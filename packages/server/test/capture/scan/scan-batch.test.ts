import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ScanRefusal } from "../../../src/capture/scan/refusals.ts";
import { type ScannedBatch, scanBatch, scanNdjson } from "../../../src/capture/scan/scan-batch.ts";
import { scanEvent } from "../../../src/capture/scan/scan-event.ts";
import { eventText, mutated, parsed, valueText } from "./json-text.ts";

type Scan = (body: Buffer) => ScannedBatch | ScanRefusal;

function itemsOf(scan: Scan, body: string | Buffer): string[] {
  const bytes = Buffer.from(body);
  const result = scan(bytes);
  if (result.kind === "refused") throw new Error(`refused: ${result.message}`);
  return result.items.map(({ start, end }) => bytes.subarray(start, end).toString());
}

function refuse(scan: Scan, body: string | Buffer): ScanRefusal {
  const result = scan(Buffer.from(body));
  if (result.kind === "batch") throw new Error("accepted");
  return result;
}

/** What became of each item: `event` or the code of its refusal. */
function verdicts(scan: Scan, body: string): string[] {
  const bytes = Buffer.from(body);
  const result = scan(bytes);
  if (result.kind === "refused") throw new Error(`refused: ${result.message}`);
  return result.items.map(({ start, end }) => {
    const item = scanEvent(bytes, start, end);
    return item.kind === "refused" ? item.code : item.event;
  });
}

const event = (type: string): string => `{"event":"${type}","data":{"a":[1,"]"]}}`;
const opening = '{"events":[';

describe("a batch", () => {
  test("comes back as the byte ranges of its items, without the whitespace around them", () => {
    expect(itemsOf(scanBatch, ` { "events" : [ ${event("a")} ,\n${event("b")}\t] } `)).toEqual([
      event("a"),
      event("b"),
    ]);
  });

  test("may name its member with escapes", () => {
    expect(itemsOf(scanBatch, '{"\\u0065vents":[1]}')).toEqual(["1"]);
  });

  test("is accepted with items that are no events: each refuses only itself", () => {
    const body = `{"events":[${event("a")},1,null,[],{"evnt":1},"x",${event("b")}]}`;
    const refused = ["NOT_AN_OBJECT", "NOT_AN_OBJECT", "NOT_AN_OBJECT", "UNKNOWN_MEMBER", "NOT_AN_OBJECT"];
    expect(verdicts(scanBatch, body)).toEqual(["a", ...refused, "b"]);
  });

  test("counts the depth of an item from the item", () => {
    const nested = (levels: number) => `{"event":"a","data":${"[".repeat(levels)}${"]".repeat(levels)}}`;
    expect(verdicts(scanBatch, `{"events":[${nested(63)},${nested(64)},${nested(63)}]}`)).toEqual([
      "a",
      "JSON_TOO_DEEP",
      "a",
    ]);
  });

  test("survives one item of 100,000 levels, which refuses only itself", () => {
    const deep = `${'[{"a":'.repeat(50_000)}0${"}]".repeat(50_000)}`;
    expect(verdicts(scanBatch, `{"events":[${deep},${event("b")}]}`)).toEqual(["JSON_TOO_DEEP", "b"]);
    expect(refuse(scanBatch, `{"events":[${deep.replace("0}]", "0]]")},${event("b")}]}`).code).toBe("INVALID_JSON");
  });

  test("of 100,000 unclosed brackets is a refusal", () => {
    expect(refuse(scanBatch, `{"events":${"[".repeat(100_000)}`)).toMatchObject({
      status: 400,
      code: "INVALID_JSON",
      position: 100_010,
    });
  });

  test.each([
    ["", 400, "EMPTY_BODY", undefined],
    [" \n", 400, "EMPTY_BODY", undefined],
    [`[${event("a")}]`, 422, "NOT_AN_OBJECT", undefined],
    ["{}", 422, "MISSING_MEMBER", "events"],
    ['{"events":[]}', 422, "EMPTY_BATCH", "events"],
    ['{"events":[ ]}', 422, "EMPTY_BATCH", "events"],
    ['{"events":{}}', 422, "WRONG_TYPE", "events"],
    ['{"events":null}', 422, "WRONG_TYPE", "events"],
    ['{"event":[1]}', 422, "UNKNOWN_MEMBER", "event"],
    ['{"events":[1],"dryRun":true}', 422, "UNKNOWN_MEMBER", "dryRun"],
    ['{"events":[1],"events":[2]}', 422, "DUPLICATE_MEMBER", "events"],
    ['{"events":[1],"__proto__":{"polluted":1}}', 422, "UNKNOWN_MEMBER", "__proto__"],
    ['{"events":[1],}', 400, "INVALID_JSON", undefined],
    ['{"events":[1,]}', 400, "INVALID_JSON", undefined],
    ['{"events":[1 2]}', 400, "INVALID_JSON", undefined],
    ['{"events":[1}', 400, "INVALID_JSON", undefined],
    ['{"events":[{"event":}]}', 400, "INVALID_JSON", undefined],
    ['{"events":[1]}x', 400, "INVALID_JSON", undefined],
    ["[1,", 400, "INVALID_JSON", undefined],
  ])("%j is refused with %i %s", (body, status, code, field) => {
    const refusal = refuse(scanBatch, body);
    expect(refusal).toMatchObject({ status, code });
    expect(refusal.field).toBe(field);
  });

  test("of 1,000 events is accepted and of 1,001 refused", () => {
    const body = (count: number) => `${opening}${Array.from({ length: count }, () => "1").join(",")}]}`;
    expect(itemsOf(scanBatch, body(1000))).toHaveLength(1000);
    const refusal = refuse(scanBatch, body(1001));
    expect(refusal).toMatchObject({ status: 422, code: "TOO_MANY_EVENTS", field: "events" });
    expect(refusal.message).toContain("more than 1000 events");
  });

  test("with too many events and a syntax error after them is a syntax error", () => {
    expect(refuse(scanBatch, `{"events":[${"1,".repeat(2000)}]}`)).toMatchObject({ status: 400, code: "INVALID_JSON" });
  });

  test("with one byte of invalid UTF-8 is refused whole, being no JSON text", () => {
    const body = Buffer.concat([Buffer.from('{"events":["'), Buffer.of(0xff), Buffer.from('"]}')]);
    expect(refuse(scanBatch, body)).toMatchObject({ status: 400, code: "INVALID_UTF8", position: 12 });
  });

  test("has exactly the items that JSON.parse sees", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(valueText, eventText), { minLength: 1, maxLength: 6 }), (items) => {
        const body = `{"events":[${items.join(" ,")}]}`;
        expect(itemsOf(scanBatch, body).map((item) => JSON.parse(item))).toEqual(JSON.parse(body).events);
      }),
    );
  });

  test("with small accidents is a syntax error exactly when JSON.parse throws", () => {
    const batch = fc.array(eventText, { maxLength: 3 }).map((items) => `{"events":[${items.join(",")}]}`);
    fc.assert(
      fc.property(mutated(batch), (body) => {
        const result = scanBatch(body);
        expect(result.kind === "batch" || result.status === 422).toBe(parsed(body).isAccepted);
      }),
      { numRuns: 1000 },
    );
  });
});

describe("an NDJSON batch", () => {
  test.each([
    ["lines that end with LF", "1\n2\n"],
    ["lines that end with CR LF", "1\r\n2\r\n"],
    ["no line end after the last", "1\n2"],
    ["blank lines anywhere", "\n\r\n 1 \n \t\n\n2\t\r\n\n"],
  ])("may have %s", (_, body) => {
    expect(itemsOf(scanNdjson, body)).toEqual(["1", "2"]);
  });

  test("splits at line feeds only", () => {
    expect(itemsOf(scanNdjson, '"a\u2028b"\r"c"\n2')).toEqual(['"a\u2028b"\r"c"', "2"]);
  });

  test("has lines that refuse only themselves, whatever is wrong with them", () => {
    const lines = [event("a"), '{"event":"a",', "not json", "[]", "{}", `${event("x")} ${event("y")}`, event("b")];
    expect(verdicts(scanNdjson, lines.join("\n"))).toEqual([
      "a",
      "INVALID_JSON",
      "INVALID_JSON",
      "NOT_AN_OBJECT",
      "MISSING_MEMBER",
      "INVALID_JSON",
      "b",
    ]);
  });

  test("has lines of invalid UTF-8 that refuse only themselves", () => {
    const body = Buffer.concat([Buffer.from(`${event("a")}\n"`), Buffer.of(0xff), Buffer.from(`"\n${event("b")}`)]);
    const result = scanNdjson(body);
    if (result.kind === "refused") throw new Error(result.message);
    const kinds = result.items.map(({ start, end }) => scanEvent(body, start, end));
    expect(kinds.map((item) => (item.kind === "refused" ? item.code : item.event))).toEqual(["a", "INVALID_UTF8", "b"]);
  });

  test("places an item's refusal by the offset in the whole body", () => {
    const body = Buffer.from(`${event("a")}\n{"event":x}\n`);
    const items = scanNdjson(body);
    if (items.kind === "refused") throw new Error(items.message);
    const { start, end } = items.items[1] as { start: number; end: number };
    expect(scanEvent(body, start, end)).toMatchObject({ code: "INVALID_JSON", position: body.indexOf("x}") });
  });

  test.each([
    ["", 400, "EMPTY_BODY"],
    ["\n\r\n \t\n", 422, "EMPTY_BATCH"],
    ["1\n".repeat(1001), 422, "TOO_MANY_EVENTS"],
  ])("%j is refused with %i %s", (body, status, code) => {
    expect(refuse(scanNdjson, body)).toMatchObject({ status, code });
  });

  test("of 1,000 lines among blank ones is accepted", () => {
    expect(itemsOf(scanNdjson, "\n1\n\r\n".repeat(1000))).toHaveLength(1000);
  });

  test("of nothing but 1 MiB of line feeds is an empty batch", () => {
    expect(refuse(scanNdjson, Buffer.alloc(1024 * 1024, "\n")).code).toBe("EMPTY_BATCH");
  });

  test("has the same items as splitting the text would give", () => {
    const line = fc.oneof(
      eventText.map((text) => text.replaceAll(/[\r\n]/g, " ")),
      fc.stringMatching(/^[ -~\t\r]{0,8}$/),
    );
    fc.assert(
      fc.property(fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), (lines, lineEnd) => {
        const body = Buffer.from(lines.join(lineEnd));
        const expected = lines.map((text) => text.replaceAll(/^[ \t\r]+|[ \t\r]+$/g, "")).filter((text) => text !== "");
        if (expected.length > 0) expect(itemsOf(scanNdjson, body)).toEqual(expected);
        else expect(refuse(scanNdjson, body).code).toMatch(/^EMPTY_/);
      }),
    );
  });
});
