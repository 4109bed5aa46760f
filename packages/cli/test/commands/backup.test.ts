// posthorn backup and restore: from the embedded database to one's own and back, and what they do to files.
import { copyFile, mkdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readSettings } from "../../../server/src/lib/settings.ts";
import { serve } from "../../../server/src/serve.ts";
import { dataDirectoryOfFirstRelease } from "../../../server/test/backup/support.ts";
import { createTestDatabase, type TestConnection, type TestDatabase } from "../../../server/test/support/database.ts";
import { newFolder } from "../../../server/test/support/folder.ts";
import { callApi, TEST_API_KEY } from "../../../server/test/support/node.ts";
import { type Receiver, startReceiver } from "../../../server/test/support/receivers/receiver.ts";
import { ensureBuilt, posthorn } from "../support/command.ts";

let folder: string;
let receiver: Receiver;
let database: TestDatabase;
beforeAll(ensureBuilt, 180_000);
beforeAll(async () => {
  folder = newFolder("posthorn-backup-cli-");
  receiver = await startReceiver();
  database = await createTestDatabase({ migrated: false });
});
afterAll(async () => {
  await receiver?.close();
  await database?.drop();
  await rm(folder, { recursive: true, force: true });
});

const at = (name: string): string => join(folder, name);
function urlOf({ host, user, password, database: name, port }: TestConnection): string {
  return `postgres://${user}:${encodeURIComponent(password)}@localhost:${port}/${name}?host=${encodeURIComponent(host)}`;
}

async function served(flags: Record<string, string>) {
  const env = { POSTHORN_LOG_LEVEL: "silent", POSTHORN_BOOTSTRAP_API_KEY: TEST_API_KEY };
  const settings = readSettings(env, { port: "0", "allow-targets": "127.0.0.1", ...flags });
  if (!settings.ok) throw new Error(settings.errors.map((error) => error.message).join());
  const result = await serve(settings.settings);
  if (result.outcome === "refused") throw new Error(`${result.code}: ${result.message}`);
  return result;
}

describe("a whole move", () => {
  test("embedded, while it serves, to a database of one's own, and from there to a new data directory", async () => {
    await mkdir(at("data"), { mode: 0o711 });
    const first = await served({ "data-dir": at("data") });
    const paused = {
      url: `${receiver.origin}/hear`,
      events: ["invoice.*"],
      name: "Ledger",
      secret: "moved-secret-0001",
    };
    const made = await callApi(first.url, "POST", "/v1/webhooks", paused);
    expect(made.status, JSON.stringify(made.body)).toBe(201);
    const id = made.body.data.id as string;
    expect((await callApi(first.url, "POST", `/v1/webhooks/${id}/pause`)).status).toBe(200);
    const event = { event: "invoice.paid", data: { object: { total: 7 } } };
    const sent = await callApi(first.url, "POST", "/v1/events", event);
    expect(sent.body.data.deliveries).toBe(1);

    const written = await posthorn(["backup", "--data-dir", at("data"), "--output", at("a.backup")]);
    expect(written).toMatchObject({ code: 0, out: "" });
    expect(written.err).toContain("1 event, 1 pending delivery");
    expect((await stat(at("a.backup"))).mode & 0o777).toBe(0o600);
    await first.stop();

    const masterKey = (await readFile(at("data/master.key"), "utf8")).trim();
    const own = { DATABASE_URL: urlOf(database.connection), POSTHORN_MASTER_KEY: masterKey };
    const restored = await posthorn(["restore", at("a.backup"), "--json"], { env: own });
    expect(restored, restored.err).toMatchObject({ code: 0 });
    expect(restored.json()).toMatchObject({ rowCounts: { event: 1, delivery: 1 }, migratedForward: [] });

    // Back: the second file comes through a pipe.
    const back = await posthorn(["backup", "-o", at("b.backup"), "--json"], { env: own });
    expect(back.json()).toMatchObject({ output: at("b.backup"), rowCounts: { event: 1, delivery: 1 } });
    await mkdir(at("again"), { mode: 0o711 });
    await copyFile(at("data/master.key"), at("again/master.key"));
    const input = await readFile(at("b.backup"));
    const piped = await posthorn(["restore", "-", "--data-dir", at("again")], { input });
    expect(piped, piped.err).toMatchObject({ code: 0, out: "" });

    const second = await served({ "data-dir": at("again") });
    try {
      expect((await callApi(second.url, "POST", `/v1/webhooks/${id}/resume`)).status).toBe(200);
      const [request] = await receiver.received(1);
      expect(request?.headers["webhook-id"]).toBe(sent.body.data.id);
    } finally {
      await second.stop();
    }
    const refused = await posthorn(["restore", at("b.backup"), "--data-dir", at("again"), "--json"]);
    expect(refused.code).toBe(1);
    expect(JSON.parse(refused.err)).toMatchObject({ error: { code: "RESTORE_TARGET_NOT_EMPTY" } });
  }, 120_000);

  test("the data directory of the first release: backed up as it is, restored, brought up to date and served", async () => {
    const hearer = await startReceiver();
    try {
      await mkdir(at("first"), { mode: 0o711 });
      const left = await dataDirectoryOfFirstRelease(at("first"), `${hearer.origin}/hear`);
      const written = await posthorn(["backup", "--data-dir", at("first"), "-o", at("first.backup")]);
      expect(written, written.err).toMatchObject({ code: 0 });
      await mkdir(at("moved"), { mode: 0o711 });
      await copyFile(at("first/master.key"), at("moved/master.key"));
      const restored = await posthorn(["restore", at("first.backup"), "--data-dir", at("moved"), "--json"]);
      expect(restored, restored.err).toMatchObject({ code: 0 });
      expect(restored.json()).toMatchObject({ rowCounts: { event: left.eventCount } });
      expect(restored.json().migratedForward[0]).toBe("0002_access");
      const moved = await served({ "data-dir": at("moved") });
      try {
        expect(await hearer.received(left.pendingCount)).toHaveLength(left.pendingCount);
      } finally {
        await moved.stop();
      }
      // And without the way round: the present program on the old directory itself.
      const old = await served({ "data-dir": at("first") });
      try {
        expect(await hearer.received(left.pendingCount * 2)).toHaveLength(left.pendingCount * 2);
      } finally {
        await old.stop();
      }
    } finally {
      await hearer.close();
    }
  }, 120_000);

  test("without the master key nothing is restored, and none is made", async () => {
    await mkdir(at("keyless"), { mode: 0o711 });
    const refused = await posthorn(["restore", at("a.backup"), "--data-dir", at("keyless")]);
    expect(refused).toMatchObject({ code: 1, out: "" });
    expect(refused.err).toContain("MASTER_KEY_REQUIRED");
    await expect(stat(at("keyless/master.key"))).rejects.toThrow("ENOENT");
  });
});

describe("files", () => {
  let migrated: TestDatabase;
  beforeAll(async () => {
    migrated = await createTestDatabase();
  });
  afterAll(() => migrated?.drop());
  const own = () => ({ DATABASE_URL: urlOf(migrated.connection) });

  test("one that exists is written over only with --force", async () => {
    await writeFile(at("mine"), "mine");
    const refused = await posthorn(["backup", "-o", at("mine")], { env: own() });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("FILE_EXISTS");
    expect(await readFile(at("mine"), "utf8")).toBe("mine");
    expect((await posthorn(["backup", "-o", at("mine"), "--force"], { env: own() })).code).toBe(0);
    expect(gunzipSync(await readFile(at("mine"))).toString("latin1")).toMatch(/^\{"format":"posthorn-backup"/);
  });

  test("what is no file is never replaced, not even with --force", async () => {
    const refused = await posthorn(["backup", "-o", folder, "--force"], { env: own() });
    expect(refused.code).toBe(2);
    expect(refused.err).toContain("is no ordinary file");
    expect((await stat(folder)).isDirectory()).toBe(true);
  });

  test("a backup that is refused leaves no file, whole or in part", async () => {
    const nothing = await createTestDatabase({ migrated: false });
    const refused = await posthorn(["backup", "-o", at("none")], { env: { DATABASE_URL: urlOf(nothing.connection) } });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("NOTHING_TO_BACK_UP");
    await expect(stat(at("none"))).rejects.toThrow("ENOENT");
    await expect(stat(at("none.part"))).rejects.toThrow("ENOENT");
    await nothing.drop();
  });

  test("what is not there, or cannot be written, is said with its name", async () => {
    const missing = await posthorn(["restore", at("missing"), "--data-dir", at("keyless")]);
    expect(missing.err).toContain(`${at("missing")} is not there`);
    const noFolder = await posthorn(["backup", "-o", at("no/such/folder")], { env: own() });
    expect(noFolder.err).toContain("FILE_NOT_FOUND");
    expect([missing.code, noFolder.code]).toEqual([1, 1]);
  });

  test("--help has examples", async () => {
    for (const command of ["backup", "restore"]) {
      const help = await posthorn([command, "--help"]);
      expect(help.out).toContain(`Examples:`);
      expect(help.out).toContain("master key");
    }
  });
});
