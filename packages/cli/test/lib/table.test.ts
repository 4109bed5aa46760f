// Tables on terminals of every width, with whatever other people's systems wrote into a value.
import { expect, test } from "vitest";
import { type Column, tableLines } from "../../src/lib/table.ts";
import { clean, pad, shorten, widthOf, wrap } from "../../src/lib/text.ts";

interface Row {
  readonly id: string;
  readonly name: string;
  readonly count: number;
}

const COLUMNS: Column<Row>[] = [
  { title: "ID", text: (row) => row.id },
  { title: "NAME", text: (row) => row.name, shrinksTo: 6 },
  { title: "COUNT", text: (row) => String(row.count), align: "right", goesAt: 1 },
];
const ROWS: Row[] = [
  { id: "evt_1", name: "A rather long name", count: 7 },
  { id: "evt_22", name: "Kurz", count: 1_200 },
];

test("takes the room that it needs, and no blanks at the end of a line", () => {
  expect(tableLines(ROWS, COLUMNS, Number.POSITIVE_INFINITY)).toEqual([
    "ID      NAME                COUNT",
    "evt_1   A rather long name      7",
    "evt_22  Kurz                 1200",
  ]);
});

test("shortens what may be shortened, then lets the least important column go, and never cuts an id", () => {
  expect(tableLines(ROWS, COLUMNS, 25)).toEqual([
    "ID      NAME        COUNT",
    "evt_1   A rather …      7",
    "evt_22  Kurz         1200",
  ]);
  expect(tableLines(ROWS, COLUMNS, 16)).toEqual(["ID      NAME", "evt_1   A rathe…", "evt_22  Kurz"]);
  expect(tableLines(ROWS, COLUMNS, 5)[1]).toBe("evt_1   A rat…");
});

test.each([20, 30, 40, 60, 120])("of %d columns has no line that is longer", (width) => {
  const rows = ["Grüße", "发票已付款，金额为两千五百六十七元五角", "🧾🧾🧾🧾🧾🧾🧾🧾🧾🧾", "e\u0301\u0301\u0301"].map(
    (name, at) => ({
      id: `evt_${at}`,
      name,
      count: at,
    }),
  );
  for (const line of tableLines(rows, COLUMNS, width)) expect(widthOf(line)).toBeLessThanOrEqual(width);
});

test("shows what would steer a terminal instead of sending it there", () => {
  const [, line] = tableLines([{ id: "x", name: "\u001b[2J\u0007\u202eevil\n", count: 0 }], COLUMNS, 200);
  expect(line).toContain("\\u001b[2J\\u0007\\u202eevil\\u000a");
  expect(clean("plain ✓ 发票")).toBe("plain ✓ 发票");
});

test("counts columns, not characters", () => {
  expect([widthOf("abc"), widthOf("发票"), widthOf("e\u0301"), widthOf("🧾")]).toEqual([3, 4, 1, 2]);
  expect(shorten("发票发票", 5)).toBe("发票…");
  expect(pad("发", 4)).toBe("发  ");
  expect(wrap("one two three", 7)).toEqual(["one two", "three"]);
});
