// What a restore refuses, each with its code, and that nothing was changed by it; and what a backup refuses.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable, Writable } from "node:stream";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { backUp } from "../../src/backup/backup.ts";
import { restore, type RestoreInput } from "../../src/backup/restore.ts";
import type { MasterKey } from "../../src/security/master-key.ts";
import { dropExpiredPartitions } from "../../src/maintain/partitions.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { openPools } from "../../src/storage/pools.ts";
import { until } from "../support/until.ts";
import {
  backUpToBuffer,
  columnsOf,
  contentsOf,
  type Database,
  emptyDatabase,
  fillAsFirstRelease,
  migrateToFirst,
  newMasterKey,
} from "./support.ts";

let source: Database;
let target: Database;
let masterKey: MasterKey;
let file: Buffer;
let folder: string;
beforeAll(async () => {
  [source, target] = [await emptyDatabase(), await emptyDatabase({ withRoles: false })];
  masterKey = newMasterKey();
  await migrateToFirst(source.connection);
  await fillAsFirstRelease(source, masterKey, "http://127.0.0.1:9/hear");
  file = await backUpToBuffer(source.connection);
  folder = await mkdtemp(join(tmpdir(), "posthorn-backup-"));
});
afterAll(async () => {
  await source.close();
  await target.close();
  await rm(folder, { recursive: true });
});

async function restored(bytes: Buffer, options: { key?: MasterKey; into?: Database; asStream?: boolean } = {}) {
  const path = join(folder, "file");
  await writeFile(path, bytes);
  const input: RestoreInput = options.asStream === true ? { stream: Readable.from([bytes]) } : { path };
  return restore({ connection: (options.into ?? target).connection, input, masterKey: options.key ?? masterKey });
}

const tableCount = async (database: Database) =>
  (await database.admin.query("select count(*)::int as n from pg_class where relnamespace = 'public'::regnamespace"))
    .rows[0];

async function expectRefused(code: string, bytes: Buffer, options: { key?: MasterKey } = {}): Promise<void> {
  await expect(restored(bytes, options)).rejects.toMatchObject({ name: "BackupError", code });
  expect(await tableCount(target)).toEqual({ n: 0 });
}

/** The file with its first line, or a byte after it, changed, and compressed anew. */
function edited(change: (plain: Buffer) => Buffer): Buffer {
  return gzipSync(change(gunzipSync(file)));
}
function withHeader(change: (header: Record<string, unknown>) => Record<string, unknown>): Buffer {
  return edited((plain) => {
    const end = plain.indexOf("\n");
    const header = JSON.stringify(change(JSON.parse(plain.toString("utf8", 0, end))));
    return Buffer.concat([Buffer.from(header), plain.subarray(end)]);
  });
}

describe("a file that is not whole changes nothing", () => {
  test("cut anywhere: in its header, in its rows, before its last byte", async () => {
    for (const length of [30, 500, Math.floor(file.length / 2), file.length - 1]) {
      await expectRefused("BACKUP_CUT", file.subarray(0, length));
    }
  });

  test("cut and compressed anew: the end is missing", async () => {
    await expectRefused(
      "BACKUP_CUT",
      edited((plain) => plain.subarray(0, plain.length - 100)),
    );
  });

  test("a byte was flipped: in the compressed file, or in a row and compressed anew", async () => {
    const flipped = Buffer.from(file);
    flipped[Math.floor(file.length / 2)] = (flipped[Math.floor(file.length / 2)] ?? 0) ^ 1;
    await expectRefused("BACKUP_DAMAGED", flipped);
    const inRow = edited((plain) => {
      const at = plain.indexOf("INV-1");
      plain.write("INV-2", at);
      return plain;
    });
    await expectRefused("BACKUP_DAMAGED", inRow);
  });

  test("something follows its end", async () => {
    await expectRefused(
      "BACKUP_DAMAGED",
      edited((plain) => Buffer.concat([plain, Buffer.from("more")])),
    );
  });

  test("it is no backup at all", async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from("select 1;"), gzipSync("select 1;\n"), gzipSync("{}\n")]) {
      await expectRefused("NOT_A_BACKUP", bytes);
    }
  });
});

describe("a file that does not fit changes nothing", () => {
  test("another master key", async () => {
    await expectRefused("WRONG_MASTER_KEY", file, { key: newMasterKey() });
  });

  test("made by a newer program: a format or a migration that this one does not know", async () => {
    await expectRefused(
      "BACKUP_NEWER",
      withHeader((header) => ({ ...header, version: 2, migrations: "other" })),
    );
    const later = (migrations: unknown[]) => [...migrations, { name: "9999_later", checksum: "x" }];
    await expectRefused(
      "BACKUP_NEWER",
      withHeader((header) => ({ ...header, migrations: later(header["migrations"] as unknown[]) })),
    );
  });

  test("made by a program with another migration under the same name", async () => {
    const migrations = [{ name: "0001_first", checksum: "another" }];
    await expectRefused(
      "BACKUP_FOREIGN",
      withHeader((header) => ({ ...header, migrations })),
    );
  });

  test("more days of history than this server has locks for, with what to set", async () => {
    const days = Array.from({ length: 30_000 }, (_, day) => new Date(day * 86_400_000).toISOString().slice(0, 10));
    const bytes = withHeader((header) => ({ ...header, history: [{ table: "event", retentionClass: 90, days }] }));
    await expectRefused("RESTORE_LOCKS", bytes);
  });

  test("its names go into no statement: a column that the catalogue does not know is damage", async () => {
    const bytes = edited((plain) => {
      const at = plain.indexOf('"capture_limit_per_second"');
      plain.write('"capture_limit_per_secone"', at);
      return plain;
    });
    const database = await emptyDatabase();
    await expect(restored(bytes, { asStream: true, into: database })).rejects.toMatchObject({ code: "BACKUP_DAMAGED" });
    await database.close();
  });
});

describe("a database that is not empty", () => {
  test("keeps what it has, also when its owner sees no row", async () => {
    const full = await emptyDatabase({ withRoles: false });
    await migrateToFirst(full.connection);
    await fillAsFirstRelease(full, masterKey, "http://127.0.0.1:9/other", false);
    const columns = await columnsOf(full.admin);
    const before = await contentsOf(full.admin, columns);
    await expect(restored(file, { into: full })).rejects.toMatchObject({ code: "RESTORE_TARGET_NOT_EMPTY" });
    expect(await contentsOf(full.admin, columns)).toEqual(before);
    await full.close();
  });

  test("a schema that is further than the file is refused, one that is as far is taken", async () => {
    const further = await emptyDatabase();
    await migrate(further.connection);
    await expect(restored(file, { into: further })).rejects.toMatchObject({ code: "RESTORE_TARGET_NOT_EMPTY" });
    await further.close();
    const asFar = await emptyDatabase();
    await migrateToFirst(asFar.connection);
    expect((await restored(file, { into: asFar })).rowCounts["event"]).toBe(9);
    await asFar.close();
  });
});

test("a stream that ends early loads no row, and the next restore goes into what it left", async () => {
  const database = await emptyDatabase({ withRoles: false });
  const short = edited((plain) => plain.subarray(0, plain.length - 200));
  await expect(restored(short, { into: database, asStream: true })).rejects.toMatchObject({ code: "BACKUP_CUT" });
  expect((await database.admin.query("select count(*)::int as n from tenant")).rows).toEqual([{ n: 0 }]);
  await restored(file, { into: database, asStream: true });
  const columns = await columnsOf(source.admin);
  expect(await contentsOf(database.admin, columns)).toEqual(await contentsOf(source.admin, columns));
  await database.close();
});

test("a node that starts on the database meanwhile waits until everything is there", async () => {
  const database = await emptyDatabase();
  const input = new PassThrough();
  const half = Math.floor(file.length / 2);
  input.write(file.subarray(0, half));
  const order: string[] = [];
  const restoring = restore({ connection: database.connection, input: { stream: input }, masterKey });
  const restoredThen = restoring.then(() => order.push("restored"));
  const hasLock =
    "select count(*)::int as n from pg_locks where locktype = 'advisory' and granted and database = (select oid from pg_database where datname = current_database())";
  await until("the lock", async () => (await database.admin.query(hasLock)).rows[0]?.n === 1);
  const migrated = migrate(database.connection).then(({ applied }) => order.push(`migrated ${applied.length}`));
  const waits =
    "select count(*)::int as n from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())";
  await until("the node that waits", async () => (await database.admin.query(waits)).rows[0]?.n === 1);
  input.end(file.subarray(half));
  await Promise.all([restoredThen, migrated]);
  expect(order.toSorted()).toEqual(["migrated 0", "restored"]);
  await database.close();
});

describe("a backup", () => {
  test("of a database without Posthorn is refused, and so is one of a newer program's", async () => {
    await expect(backUpToBuffer(target.connection)).rejects.toMatchObject({ code: "NOTHING_TO_BACK_UP" });
    await source.admin.query("insert into schema_migration (name, checksum) values ('9999_later', 'x')");
    await expect(backUpToBuffer(source.connection)).rejects.toMatchObject({ code: "SCHEMA_NEWER" });
    await source.admin.query("delete from schema_migration where name = '9999_later'");
  });

  test("is refused at its end when the schema was migrated meanwhile: the file has no end", async () => {
    let isMigrated = false;
    const pieces: Buffer[] = [];
    const output = new Writable({
      write(piece: Buffer, _encoding, done) {
        pieces.push(piece);
        if (isMigrated) return done();
        isMigrated = true;
        source.admin
          .query("insert into schema_migration (name, checksum) values ('0002_access', 'x')")
          .then(() => done(), done);
      },
    });
    await expect(backUp({ connection: source.connection, output, program: "test" })).rejects.toMatchObject({
      code: "SCHEMA_CHANGED",
    });
    await source.admin.query("delete from schema_migration where name = '0002_access'");
    await expectRefused("BACKUP_CUT", Buffer.concat(pieces));
  });

  test("keeps retention from dropping a day until it has its end", async () => {
    const pools = openPools({ connection: source.connection, withRoles: true, onIdleError: () => {} });
    const inAYear = Date.now() + 366 * 86_400_000;
    const outcomes: unknown[] = [];
    const output = new Writable({
      write(_piece, _encoding, done) {
        dropExpiredPartitions(pools.owner, pools.engine, inAYear)
          .then((outcome) => outcomes.push(outcome))
          .then(() => done(), done);
      },
    });
    await backUp({ connection: source.connection, output, program: "test" });
    await pools.end();
    expect(outcomes.length).toBeGreaterThan(0);
    expect(new Set(outcomes)).toEqual(new Set([null]));
  });

  test("ends, and leaves no connection behind, when its output fails", async () => {
    const output = new Writable({ write: (_piece, _encoding, done) => done(new Error("no room")) });
    await expect(backUp({ connection: source.connection, output, program: "test" })).rejects.toThrow("no room");
    const { rows } = await source.admin.query(
      "select count(*)::int as n from pg_stat_activity where application_name = 'posthorn backup' and datname = current_database()",
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});
