// Proves that what is encrypted for one place can be read there and nowhere else, and not after any change.
import { createSecretKey, randomFillSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { keyIdOf, type NamedKey, type SecretPlace, seal, unseal } from "../../src/security/ciphertext.ts";

const random = (target: Uint8Array) => void randomFillSync(target);
const newKey = (id: string): NamedKey => ({
  id,
  key: createSecretKey(Buffer.from(randomFillSync(new Uint8Array(32)))),
});
const key = newKey("0197a1b2-0000-7000-8000-000000000001");
const place: SecretPlace = {
  tenantUuid: "0197a1b2-0000-7000-8000-00000000000a",
  table: "secret",
  column: "ciphertext",
  rowId: "0197a1b2-0000-7000-8000-00000000000b",
};
const refused = expect.objectContaining({ code: "SECRET_UNREADABLE" }) as Error;

test("any text comes back as it was, and the ciphertext names its key and nothing of the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 300 }), (text) => {
      const sealed = seal(key, place, Buffer.from(text, "utf8"), random);
      expect(sealed).toMatch(/^v1\.[0-9a-f-]+\.[\w-]{16}\.[\w-]*\.[\w-]{22}$/);
      expect(keyIdOf(sealed)).toBe(key.id);
      expect(unseal(key, place, sealed).equals(Buffer.from(text, "utf8"))).toBe(true);
    }),
  );
});

test("the same text is never the same ciphertext twice", () => {
  const sealed = Array.from({ length: 100 }, () => seal(key, place, Buffer.from("same"), random));
  expect(new Set(sealed).size).toBe(100);
});

describe("refuses", () => {
  const sealed = seal(key, place, Buffer.from("whsec_secret"), random);

  test.each([
    ["another tenant", { tenantUuid: "0197a1b2-0000-7000-8000-00000000000c" }],
    ["another table", { table: "webhook" }],
    ["another column", { column: "previous" }],
    ["another row", { rowId: "0197a1b2-0000-7000-8000-00000000000d" }],
    ["a place whose parts are cut elsewhere", { table: "secre", column: "tciphertext" }],
  ])("%s", (_, moved) => {
    expect(() => unseal(key, { ...place, ...moved }, sealed)).toThrow(refused);
  });

  test("another key, under its own name and under the same", () => {
    expect(() => unseal(newKey("another"), place, sealed)).toThrow(refused);
    expect(() => unseal(newKey(key.id), place, sealed)).toThrow(refused);
  });

  test("a change of any bit of any character", () => {
    for (let index = 0; index < sealed.length; index += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const changed =
          sealed.slice(0, index) + String.fromCharCode(sealed.charCodeAt(index) ^ (1 << bit)) + sealed.slice(index + 1);
        expect(() => unseal(key, place, changed), changed).toThrow(refused);
      }
    }
  });

  test("a text cut anywhere, or with something added", () => {
    for (let length = 0; length < sealed.length; length += 1) {
      expect(() => unseal(key, place, sealed.slice(0, length))).toThrow(refused);
    }
    for (const added of [`${sealed}A`, `${sealed}=`, `${sealed}.`, ` ${sealed}`, `${sealed}\n`]) {
      expect(() => unseal(key, place, added)).toThrow(refused);
    }
  });

  test("a part swapped with that of another ciphertext", () => {
    const other = seal(key, place, Buffer.from("whsec_other!"), random).split(".");
    for (const index of [2, 3, 4]) {
      const parts = sealed.split(".");
      parts[index] = other[index] as string;
      expect(() => unseal(key, place, parts.join("."))).toThrow(refused);
    }
  });

  test("a shortened tag, which GCM would otherwise accept", () => {
    const parts = sealed.split(".");
    parts[4] = Buffer.from(parts[4] as string, "base64url")
      .subarray(0, 4)
      .toString("base64url");
    expect(() => unseal(key, place, parts.join("."))).toThrow(refused);
  });
});

test("a place with a bar in it is a mistake of the program", () => {
  expect(() => seal(key, { ...place, rowId: "a|b" }, Buffer.from(""), random)).toThrow(TypeError);
});

test("the message names the place and neither text nor ciphertext", () => {
  const sealed = seal(key, place, Buffer.from("whsec_secret"), random);
  try {
    unseal(key, { ...place, rowId: "other" }, sealed);
    expect.unreachable();
  } catch (error) {
    const { message } = error as Error;
    expect(message).toContain("secret.ciphertext of row other");
    expect(message).not.toContain("whsec");
    expect(message).not.toContain(sealed.slice(-10));
  }
});
