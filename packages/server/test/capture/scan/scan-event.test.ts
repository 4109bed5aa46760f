import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ScanRefusal } from "../../../src/capture/scan/refusals.ts";
import { type ScannedEvent, scanEvent } from "../../../src/capture/scan/scan-event.ts";
import { depthOf, eventText } from "./json-text.ts";

function accept(body: string | Buffer): ScannedEvent {
  const result = scanEvent(Buffer.from(body));
  if (result.kind === "refused") throw new Error(`refused: ${result.message}`);
  return result;
}

function refuse(body: string | Buffer): ScanRefusal {
  const result = scanEvent(Buffer.from(body));
  if (result.kind === "event") throw new Error("accepted");
  return result;
}

function dataOf(body: string | Buffer): string {
  const { dataStart, dataEnd } = accept(body);
  return Buffer.from(body).subarray(dataStart, dataEnd).toString();
}

const withData = (data: string): string => `{"event":"invoice.paid","data":${data}}`;
const sample = `{
  "event" : "invoice.paid", "id":"evt_é€😀", "timestamp":"2026-01-31T08:00:00Z",
  "data" : {"object":{"total":2567.50,"long":-12345678901234567890e+1,"ok":[true,false,null,"\\u00e9\\n\\"😀"]}},
  "context":{"companyId":"company_1"}, "orderingKey":"inv_1"
}`;

describe("an accepted event", () => {
  test("comes back as its texts and the exact byte ranges of data and context", () => {
    const body = Buffer.from(sample);
    const event = accept(body);
    expect(event).toMatchObject({
      event: "invoice.paid",
      id: "evt_é€😀",
      timestamp: "2026-01-31T08:00:00Z",
      orderingKey: "inv_1",
      hasLongNumber: true,
      depth: 4,
    });
    expect(body.subarray(event.dataStart, event.dataEnd).toString()).toMatch(
      /^\{"object":\{"total":2567\.50,.*"\]\}\}$/,
    );
    expect(body.subarray(event.contextStart, event.contextEnd).toString()).toBe('{"companyId":"company_1"}');
  });

  test("has null and -1 for what it left out", () => {
    expect(accept('{"data":null,"event":"a.b"}')).toEqual({
      kind: "event",
      event: "a.b",
      id: null,
      timestamp: null,
      orderingKey: null,
      dataStart: 8,
      dataEnd: 12,
      contextStart: -1,
      contextEnd: -1,
      hasLongNumber: false,
      depth: 1,
    });
  });

  test.each(["null", "true", "false", "0", "-0.0", '""', "[]", "{}", '"\\u0000"', '"\\ud800"', "1e400"])(
    "may have %s as its data",
    (data) => expect(dataOf(withData(data))).toBe(data),
  );

  test("has member names that are compared after unescaping", () => {
    expect(accept('{"\\u0065vent":"a.b","\\u0064\\u0061\\u0074\\u0061":1}').event).toBe("a.b");
  });

  test("has its texts decoded, U+0000 and lone surrogates included", () => {
    expect(accept('{"event":"a\\u002eb","id":"\\u0000\\ud800\\ud83d\\ude00","data":1}')).toMatchObject({
      event: "a.b",
      id: "\u0000\ud800😀",
    });
  });

  test("keeps repeated and dangerous names inside data byte for byte and touches no prototype", () => {
    const data =
      '{"__proto__":{"polluted":1},"a":1,"a":2,"constructor":{"prototype":{"polluted":1}},"\\u005f_proto__":{"polluted":1}}';
    expect(dataOf(withData(data))).toBe(data);
    expect(accept(`{"event":"a.b","data":${data},"context":${data}}`).depth).toBe(4);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("may be a slice of a larger buffer, whatever surrounds it", () => {
    fc.assert(
      fc.property(eventText, fc.constantFrom("", "0", '"', "}", '{"event":', ",", "\\", "\u00e9"), (text, around) => {
        const alone = Buffer.from(text);
        const margin = Buffer.byteLength(around);
        const body = Buffer.from(around + text + around);
        const event = accept(alone);
        const shifted = { ...event, dataStart: event.dataStart + margin, dataEnd: event.dataEnd + margin };
        if (event.contextStart !== -1) {
          shifted.contextStart += margin;
          shifted.contextEnd += margin;
        }
        expect(scanEvent(body, margin, body.length - margin)).toEqual(shifted);
      }),
    );
  });
});

describe("hasLongNumber", () => {
  test.each([
    ["999999999999999", false],
    ["1000000000000000", true],
    ["12345678901234567890", true],
    ["-1234567890123456", true],
    ["2567.50", false],
    ["1234567890.12345", false],
    ["1234567890.123456", true],
    ["0.000000000000000000001", false],
    ["0.00000123456789012345", false],
    ["0.001234567890123456", true],
    ["0.00000000000000000000", false],
    ["1.000000000000000", true],
    ["1e300", false],
    ["1.5E+0000000000000000000001", false],
    ["123456789012345e10", false],
    ["1234567890123456e-10", true],
    ['"12345678901234567890"', false],
    ['{"12345678901234567890":1}', false],
    ['[1,{"a":[12345678901234567890]},2]', true],
  ])("of data %s is %s", (data, expected) => {
    expect(accept(withData(data)).hasLongNumber).toBe(expected);
    expect(accept(`{"event":"a","data":1,"context":{"x":${data}}}`).hasLongNumber).toBe(expected);
  });

  test("is true for every number that a double does not bring back", () => {
    const digits = fc.stringMatching(/^[1-9][0-9]{0,17}$/);
    fc.assert(
      fc.property(digits, fc.nat({ max: 17 }), (text, dot) => {
        const number = dot > 0 && dot < text.length ? `${text.slice(0, dot)}.${text.slice(dot)}` : text;
        expect(accept(withData(number)).hasLongNumber).toBe(text.length > 15);
        const isKept =
          Number(number)
            .toPrecision(text.length)
            .replace(/[.e].*$/, "") === number.replace(/\..*$/, "");
        if (!isKept && dot === 0) expect(text.length).toBeGreaterThan(15);
      }),
    );
  });
});

describe("depth", () => {
  const nested = (levels: number): string => withData("[".repeat(levels) + "]".repeat(levels));

  test("of 64 levels, the event object included, is accepted", () => {
    expect(accept(nested(63)).depth).toBe(64);
  });

  test("of 65 levels is refused where the 65th opens", () => {
    const body = nested(64);
    expect(refuse(body)).toMatchObject({ status: 400, code: "JSON_TOO_DEEP", position: body.indexOf("[") + 63 });
  });

  test("is measured at its deepest, not at its last", () => {
    expect(accept(withData('{"a":[[{"b":1}]],"c":[]}')).depth).toBe(5);
  });

  test("counts containers in context too", () => {
    expect(accept('{"event":"a","data":1,"context":{"a":{"b":[]}}}').depth).toBe(4);
  });

  test.each([
    ["arrays", "["],
    ["objects", '{"a":'],
  ])("of 100,000 unclosed %s is a refusal, bare and as data", (_, opening) => {
    expect(refuse(opening.repeat(100_000)).code).toBe("JSON_TOO_DEEP");
    expect(refuse(withData(opening.repeat(100_000))).code).toBe("JSON_TOO_DEEP");
  });
});

describe("what is no event", () => {
  test.each([
    ["[]", "an array"],
    ["null", "null"],
    ["1", "a number"],
    ["-1", "a number"],
    ['"x"', "a string"],
    ["true", "a boolean"],
    [" false\n", "a boolean"],
  ])("%s is refused as not an object", (body, kind) => {
    expect(refuse(body)).toMatchObject({
      status: 422,
      code: "NOT_AN_OBJECT",
      message: `Expected an event (a JSON object), saw ${kind}.`,
    });
  });

  test.each(["", " ", "\r\n\t "])("%j is refused as empty", (body) => {
    expect(refuse(body)).toMatchObject({ status: 400, code: "EMPTY_BODY", position: body.length });
  });

  test("an empty object misses both required members", () => {
    expect(refuse("{}").details.map(({ code, field }) => [code, field])).toEqual([
      ["MISSING_MEMBER", "event"],
      ["MISSING_MEMBER", "data"],
    ]);
  });

  test.each([
    ['{"event":"a"}', "data"],
    ['{"data":1}', "event"],
  ])("%s misses %s", (body, field) => {
    expect(refuse(body)).toMatchObject({ status: 422, code: "MISSING_MEMBER", field, position: 0 });
  });

  test.each(["id", "timestamp", "orderingKey", "context"])("null is no way to leave out %s", (field) => {
    const refusal = refuse(`{"event":"a","data":1,"${field}":null}`);
    expect(refusal).toMatchObject({ status: 422, code: "WRONG_TYPE", field });
    expect(refusal.message).toMatch(/saw null; leave it out instead\.$/);
  });

  test.each([
    ["event", "1"],
    ["event", "null"],
    ["event", '["a"]'],
    ["id", "17"],
    ["timestamp", "1706688000"],
    ["orderingKey", "{}"],
    ["context", "[]"],
    ["context", '"x"'],
  ])("%s must not be %s", (field, value) => {
    const others = { event: '"a"', data: "1", [field]: value };
    const body = `{${Object.entries(others).map(([name, text]) => `"${name}":${text}`)}}`;
    expect(refuse(body)).toMatchObject({ status: 422, code: "WRONG_TYPE", field });
    expect(refuse(body).details).toHaveLength(1);
  });

  test.each([
    ['{"event":"a","data":1,"event":"b"}', "event"],
    ['{"event":"a","data":1,"\\u0065vent":"b"}', "event"],
    ['{"\\u0065\\u0076\\u0065\\u006e\\u0074":"a","data":1,"event":"a"}', "event"],
    ['{"event":"a","data":1,"data":1}', "data"],
    ['{"event":"a","data":1,"context":{},"c\\u006fntext":{}}', "context"],
  ])("%s repeats %s", (body, field) => {
    expect(refuse(body)).toMatchObject({
      status: 422,
      code: "DUPLICATE_MEMBER",
      field,
      position: body.lastIndexOf(',"') + 1,
    });
  });

  test.each([
    ["evnt", "event"],
    ["Event", "event"],
    ["ordering_key", "orderingKey"],
    ["timestmap", "timestamp"],
    ["contexts", "context"],
    ["ID", "id"],
  ])("an unknown member %s is answered with %s", (name, nearest) => {
    const refusal = refuse(`{"event":"a","data":1,"${name}":1}`);
    expect(refusal).toMatchObject({ status: 422, code: "UNKNOWN_MEMBER", field: name, position: 22 });
    expect(refusal.message).toContain(`did you mean "${nearest}"?`);
  });

  test.each(["__proto__", "constructor", "toString", "hasOwnProperty", "payload", ""])(
    "an unknown member %j far from any is answered with all known ones",
    (name) => {
      const refusal = refuse(`{"event":"a","data":1,"${name}":{"polluted":1}}`);
      expect(refusal).toMatchObject({ status: 422, code: "UNKNOWN_MEMBER", field: name });
      expect(refusal.message).toContain("known are event, data, id, timestamp, context, orderingKey.");
    },
  );

  test("all problems of shape are told at once, in the order of the body, missing members last", () => {
    const refusal = refuse('{"evnt":"a","id":1,"id":"x","context":null}');
    expect(refusal.details.map(({ code, field }) => `${code} ${field}`)).toEqual([
      "UNKNOWN_MEMBER evnt",
      "WRONG_TYPE id",
      "DUPLICATE_MEMBER id",
      "WRONG_TYPE context",
      "MISSING_MEMBER event",
      "MISSING_MEMBER data",
    ]);
    expect(refusal).toMatchObject(refusal.details[0] as object);
  });

  test("a syntax error further on outweighs problems of shape", () => {
    expect(refuse('{"evnt":"a","id":1,}')).toMatchObject({
      status: 400,
      code: "INVALID_JSON",
      position: 19,
      details: [],
    });
    expect(refuse('["a",]')).toMatchObject({ status: 400, code: "INVALID_JSON" });
  });
});

describe("broken text", () => {
  test.each([
    ['{"event":"a" "data":1}', 13, "expected ',' or '}', saw '\"'"],
    ["{'event':1}", 1, "expected a member's name in double quotes, saw a single quote"],
    ['{"event":"a",}', 13, "expected a member's name in double quotes, saw '}'"],
    ['{"event" "a"}', 9, "expected ':' after a member's name, saw '\"'"],
    [withData("[1,]"), 34, "expected a JSON value, saw ']'"],
    [withData("[1 2]"), 34, "expected ',' or ']', saw '2'"],
    [withData("NaN"), 31, "expected a JSON value, saw 'N'"],
    [withData("nan"), 32, "expected the literal null, saw 'a'"],
    [withData("Infinity"), 31, "expected a JSON value, saw 'I'"],
    [withData("01"), 32, "expected no digit after a leading zero, saw '1'"],
    [withData("-"), 32, "expected a digit, saw '}'"],
    [withData("+1"), 31, "expected a JSON value, saw '+'"],
    [withData(".5"), 31, "expected a JSON value, saw '.'"],
    [withData("1."), 33, "expected a digit after the decimal point, saw '}'"],
    [withData("1e+"), 34, "expected a digit in the exponent, saw '}'"],
    [withData('"\t"'), 32, "expected control characters in a string to be escaped, saw byte 0x09"],
    [withData('"\\x"'), 33, "expected one of \" \\ / b f n r t u after a backslash, saw 'x'"],
    [withData('"\\u12G4"'), 36, "expected four hexadecimal digits after \\u, saw 'G'"],
    [withData("\u00a01"), 31, "expected a JSON value, saw U+00A0"],
    [withData("😀"), 31, "expected a JSON value, saw U+1F600"],
    [`${withData("1")}x`, 33, "expected nothing after the JSON value, saw 'x'"],
    ["{}{}", 2, "expected nothing after the JSON value, saw '{'"],
    ["[1]]", 3, "expected nothing after the JSON value, saw ']'"],
    [`\ufeff${withData("1")}`, 0, "expected a JSON value, saw a byte order mark (send JSON without one)"],
    [
      Buffer.from(withData("1"), "utf16le"),
      1,
      "expected a member's name in double quotes, saw byte 0x00 (UTF-16? send JSON as UTF-8)",
    ],
  ])("%s is refused at byte %i", (body, position, message) => {
    expect(refuse(body)).toMatchObject({
      status: 400,
      code: "INVALID_JSON",
      position,
      message: `Invalid JSON at byte ${position}: ${message}.`,
    });
  });

  const dense = '{"event":"a","data":[123,-20.25e+17,[[]],{"a":{"b":{}}},"\\u00e9\\n",true,null,"😀"],"id":"é"}';

  test.each([sample, dense])("of %s is refused at the very byte where it was cut off, wherever that is", (text) => {
    const body = Buffer.from(text);
    for (let cut = 0; cut < body.length; cut++) {
      const alone = Buffer.from(body.subarray(0, cut));
      expect(refuse(alone), `cut at ${cut}`).toMatchObject({ status: 400, position: cut });
      // As a slice of the whole it must be judged without a look at what follows.
      expect(scanEvent(body, 0, cut), `cut at ${cut}`).toEqual(scanEvent(alone));
    }
  });

  test.each([
    ["a byte that never occurs", [0x22, 0xff, 0x22], 1],
    ["an overlong slash", [0x22, 0xc0, 0xaf, 0x22], 1],
    ["an encoded surrogate", [0x22, 0xed, 0xa0, 0x80, 0x22], 2],
    ["a truncated character", [0x22, 0xe2, 0x82], 3],
    ["a UTF-16 byte order mark", [0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00], 0],
  ])("%s is refused as invalid UTF-8", (_, bytes, position) => {
    expect(refuse(Buffer.from(bytes))).toMatchObject({ status: 400, code: "INVALID_UTF8", position });
  });

  test("invalid UTF-8 anywhere in the event is refused, inside data too", () => {
    const body = Buffer.concat([Buffer.from('{"event":"a","data":"'), Buffer.of(0xe9), Buffer.from('"}')]);
    expect(refuse(body)).toMatchObject({ code: "INVALID_UTF8", position: 22 });
  });
});

describe("large bodies", () => {
  test("10 MiB of data are accepted", () => {
    const data = `{"note":"${"é".repeat(5 * 1024 * 1024)}"}`;
    expect(accept(withData(data)).dataEnd).toBe(31 + Buffer.byteLength(data));
  });

  test("one name of 1 MiB is accepted in data, and shown cut short as a member", () => {
    const name = "n".repeat(1024 * 1024);
    expect(accept(withData(`{"${name}":1}`)).depth).toBe(2);
    const refusal = refuse(`{"event":"a","data":1,"${name}":1}`);
    expect(refusal.field).toBe(`${"n".repeat(64)}…`);
    expect(refusal.message.length).toBeLessThan(300);
  });

  test("a million members are accepted in data, and listed twenty at most as members", () => {
    const members = Array.from({ length: 1_000_000 }, (_, index) => `"m${index}":${index}`).join(",");
    expect(accept(withData(`{${members}}`)).depth).toBe(2);
    expect(refuse(`{${members}}`)).toMatchObject({ code: "UNKNOWN_MEMBER", details: { length: 20 } });
  });

  test("a million elements are accepted", () => {
    expect(accept(withData(`[${"0,".repeat(999_999)}0]`)).depth).toBe(2);
  });
});

describe("beside JSON.parse", () => {
  test("every event is accepted with the same values", () => {
    fc.assert(
      fc.property(eventText, (text) => {
        const body = Buffer.from(text);
        const event = accept(body);
        const whole = JSON.parse(text);
        const { event: type, id = null, timestamp = null, orderingKey = null } = whole;
        expect(event).toMatchObject({ event: type, id, timestamp, orderingKey, depth: depthOf(body) });
        expect(JSON.parse(body.subarray(event.dataStart, event.dataEnd).toString())).toEqual(whole.data);
        expect(event.contextStart !== -1).toBe("context" in whole);
        if (event.contextStart !== -1) {
          expect(JSON.parse(body.subarray(event.contextStart, event.contextEnd).toString())).toEqual(whole.context);
        }
      }),
      { numRuns: 500 },
    );
  });
});
