// Held against a real PostgreSQL: what goes in as binary comes back as the same values.
import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  boolArray,
  int2Array,
  int4Array,
  int8Array,
  packBytes,
  textArray,
  timestamptzArray,
  uuidArray,
} from "../../src/lib/binary-arrays.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase({ migrated: false });
  client = new pg.Client(database.connection);
  await client.connect();
});
afterAll(async () => {
  await client?.end();
  await database?.drop();
});
const back = async (type: string, value: Buffer, shown = "value::text") =>
  (
    await client.query(
      `select array_agg(${shown} order by n) as all from unnest($1::${type}[]) with ordinality as r (value, n)`,
      [value],
    )
  ).rows[0].all;

test("numbers keep their value and their null", async () => {
  expect(await back("int2", int2Array([1, -32768, null, 32767]))).toEqual(["1", "-32768", null, "32767"]);
  expect(await back("int4", int4Array([0, -2147483648, null, 2147483647]))).toEqual([
    "0",
    "-2147483648",
    null,
    "2147483647",
  ]);
  const large = [0, 1, -1, 2 ** 32, -(2 ** 32) - 5, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, null];
  expect(await back("int8", int8Array(large))).toEqual(large.map((value) => (value === null ? null : String(value))));
});

test("times keep their microseconds, before and after 2000, and infinity", async () => {
  const times = [0, 946_684_800_000, 1_767_225_600_123.456, -1, Number.POSITIVE_INFINITY, null];
  const shown = await back(
    "timestamptz",
    timestamptzArray(times),
    "to_char(value at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
  );
  expect(shown.slice(0, 4)).toEqual([
    "1970-01-01 00:00:00.000000",
    "2000-01-01 00:00:00.000000",
    "2026-01-01 00:00:00.123456",
    "1969-12-31 23:59:59.999000",
  ]);
  expect(await back("timestamptz", timestamptzArray([Number.POSITIVE_INFINITY]))).toEqual(["infinity"]);
});

test("texts keep every character and their null; truths and ids too", async () => {
  const texts = ["", "a", "ünï€😀", null, "x".repeat(5_000)];
  expect(await back("text", textArray(texts), "value")).toEqual(texts);
  expect(await back("bool", boolArray([true, false]))).toEqual(["true", "false"]);
  const ids = [randomBytes(16), randomBytes(16)];
  expect((await back("uuid", uuidArray(ids))).map((text: string) => text.replaceAll("-", ""))).toEqual(
    ids.map((bytes) => bytes.toString("hex")),
  );
});

test("an empty array of each kind is an empty array", async () => {
  for (const [type, value] of [
    ["int4", int4Array([])],
    ["text", textArray([])],
    ["uuid", uuidArray([])],
  ] as const) {
    expect(await back(type, value)).toBeNull();
  }
});

test("packed bytes come apart again where substring cuts", async () => {
  const values = [Buffer.from("one"), null, Buffer.alloc(0), randomBytes(1_000)];
  const { bytes, starts, lengths } = packBytes(values);
  const { rows } = await client.query(
    `select case when length >= 0 then substring($1::bytea from start for length) end as value
     from unnest($2::int4[], $3::int4[]) with ordinality as r (start, length, n) order by n`,
    [bytes, int4Array(starts), int4Array(lengths)],
  );
  expect(rows.map((row) => row.value)).toEqual(values);
});
