// Proves the form of API keys and that typing mistakes are recognised by the text alone.
import { randomFillSync } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import {
  hashApiKey,
  inspectApiKey,
  lastCharactersOf,
  livemodeOfApiKey,
  mintApiKey,
} from "../../src/security/api-keys.ts";

const random = (target: Uint8Array) => void randomFillSync(target);

test("a minted key has its prefix, 36 base62 characters and a checksum that holds", () => {
  for (let index = 0; index < 200; index += 1) {
    const livemode = index % 2 === 0;
    const key = mintApiKey(livemode, random);
    expect(key).toMatch(livemode ? /^blg_live_sk_[0-9A-Za-z]{36}$/ : /^blg_test_sk_[0-9A-Za-z]{36}$/);
    expect(inspectApiKey(key)).toBe("minted");
    expect(livemodeOfApiKey(key)).toBe(livemode);
  }
});

test("the checksum is the CRC-32 of the random part in base62, padded to six characters", () => {
  // Python: zlib.crc32(b"0" * 30) == 0x77e5db82, written with the digits 0-9A-Za-z.
  const key = mintApiKey(true, (target) => void target.fill(0));
  expect(key.slice(0, -6)).toBe(`blg_live_sk_${"0".repeat(30)}`);
  expect(key.slice(-6)).toBe("2C8GjS");
});

test("a key with one character replaced, or two neighbours swapped, is recognised as mistyped", () => {
  const key = mintApiKey(true, random);
  fc.assert(
    fc.property(fc.integer({ min: 12, max: 47 }), fc.constantFrom(..."0123456789abcXYZ"), (index, character) => {
      fc.pre(key[index] !== character);
      expect(inspectApiKey(key.slice(0, index) + character + key.slice(index + 1))).toBe("mistyped");
    }),
  );
  for (let index = 12; index < 47; index += 1) {
    const [a, b] = [key[index] as string, key[index + 1] as string];
    if (a !== b) expect(inspectApiKey(key.slice(0, index) + b + a + key.slice(index + 2))).toBe("mistyped");
  }
});

test("every letter comes equally often", () => {
  const counts = new Map<string, number>();
  for (let index = 0; index < 2_000; index += 1) {
    for (const letter of mintApiKey(true, random).slice(12, 42)) counts.set(letter, (counts.get(letter) ?? 0) + 1);
  }
  const expected = 60_000 / 62;
  // Six standard deviations: fails by chance once in many millions of runs, and always for `byte % 62` (25 % more).
  for (const count of counts.values()) expect(Math.abs(count - expected)).toBeLessThan(6 * Math.sqrt(expected));
  expect(counts.size).toBe(62);
});

test("an operator's own key is one of 20 or more printable characters", () => {
  expect(inspectApiKey("correct-horse-battery")).toBe("chosen");
  expect(inspectApiKey("blg_live_sk_chosen_by_me")).toBe("chosen");
  for (const key of [
    "",
    "nineteen-characters",
    "with spaces in it, so no",
    "blg_live_sk_ümlautümlautümlaut",
    "x".repeat(513),
  ]) {
    expect(inspectApiKey(key)).toBe("malformed");
  }
  expect(livemodeOfApiKey("correct-horse-battery")).toBe(true);
  expect(livemodeOfApiKey("blg_test_sk_chosen_by_me")).toBe(false);
});

test("what is kept is SHA-256 and the last four characters", () => {
  expect(hashApiKey("abc").toString("hex")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(lastCharactersOf("blg_live_sk_abcdefgh")).toBe("efgh");
});
