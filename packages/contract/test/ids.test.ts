import { randomFillSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  formatId,
  IdGenerator,
  idFromUuid,
  isId,
  millisecondsOfBytes,
  parseId,
  uuidFromBytes,
  uuidFromId,
} from "../src/ids.ts";

const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });

describe("ids", () => {
  test("every 128-bit value survives the round trip, in 26 characters without a dot", () => {
    fc.assert(
      fc.property(bytes16, (bytes) => {
        const id = formatId("event", bytes);
        expect(id).toMatch(/^evt_[0-7][0-9A-HJKMNP-TV-Z]{25}$/);
        expect(parseId("event", id)).toEqual(bytes);
        expect(uuidFromId("event", id)).toBe(uuidFromBytes(bytes));
        expect(idFromUuid("event", uuidFromBytes(bytes))).toBe(id);
      }),
    );
  });

  test("text order is byte order, so ids sort by time", () => {
    fc.assert(
      fc.property(bytes16, bytes16, (left, right) => {
        const byBytes = Math.sign(Buffer.compare(left, right));
        const [a, b] = [formatId("event", left), formatId("event", right)];
        expect(a < b ? -1 : a > b ? 1 : 0).toBe(byBytes);
      }),
    );
  });

  test("an id of another kind, too long, too large or with a strange character is refused", () => {
    const id = formatId("event", new Uint8Array(16));
    for (const wrong of [
      id.replace("evt", "dlv"),
      `${id}0`,
      id.slice(0, -1),
      id.replace("_0", "_8"),
      id.replace(/0$/, "u"),
      id.replace(/0$/, "\u0130"),
      "__proto__",
      "",
    ]) {
      expect(isId("event", wrong), wrong).toBe(false);
    }
  });

  test("the generator never goes backwards, whatever the clock does", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_050 }), { minLength: 2 }),
        (times) => {
          let at = 0;
          const generator = new IdGenerator(
            () => times[at] as number,
            (target) => randomFillSync(target),
          );
          let last = "";
          for (at = 0; at < times.length; at += 1) {
            for (let i = 0; i < 3; i += 1) {
              const bytes = generator.next();
              expect((bytes[6] as number) >> 4).toBe(7);
              expect((bytes[8] as number) >> 6).toBe(2);
              const id = formatId("event", bytes);
              expect(id > last).toBe(true);
              last = id;
            }
          }
        },
      ),
    );
  });

  test("an id can carry a given millisecond", () => {
    const generator = new IdGenerator(
      () => 1_800_000_000_123.75,
      (target) => randomFillSync(target),
    );
    expect(millisecondsOfBytes(generator.next())).toBe(1_800_000_000_123);
    expect(millisecondsOfBytes(generator.next(1_700_000_000_042))).toBe(1_700_000_000_042);
  });
});
