// Proves where the master key comes from, and that a lost one is never replaced silently.
import { randomFillSync } from "node:crypto";
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type FindMasterKeyOptions, findMasterKey, openMasterKey } from "../../src/security/master-key.ts";

const KEY = Buffer.alloc(32, 0xfb).toString("base64");

describe("a master key given as text", () => {
  test("is 32 bytes in base64, in either alphabet, with or without padding, and is the same key", () => {
    const ids = [KEY, KEY.replace(/=+$/, ""), KEY.replaceAll("+", "-").replaceAll("/", "_"), ` ${KEY}\n`].map(
      (text) => {
        const result = openMasterKey(text);
        return result.ok ? result.key.id : result.message;
      },
    );
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{16}$/);
  });

  test.each([
    ["empty", ""],
    ["too short", Buffer.alloc(31).toString("base64")],
    ["too long", Buffer.alloc(33).toString("base64")],
    ["hexadecimal", Buffer.alloc(32, 0xfb).toString("hex")],
    ["with a character that is no base64", `${KEY.slice(0, 20)}!${KEY.slice(20)}`],
    ["with spare bits set", `${KEY.slice(0, -2)}/=`],
    ["a passphrase", "correct horse battery staple correct horse"],
  ])("is refused when %s, with the way to make one and without what was given", (_, text) => {
    const result = openMasterKey(text);
    expect(result).toMatchObject({ ok: false, code: "INVALID_MASTER_KEY" });
    if (result.ok) return;
    expect(result.message).toContain("openssl rand -base64 32");
    if (text !== "") expect(result.message).not.toContain(text);
  });

  test("does not show in what a log prints", () => {
    const result = openMasterKey(KEY);
    for (const printed of [inspect(result, { depth: 9 }), JSON.stringify(result)]) {
      expect(printed).not.toContain(KEY.slice(0, 10));
      expect(printed).not.toMatch(/fb ?fb ?fb/i);
    }
  });
});

describe("the master key of an installation", () => {
  let root: string;
  beforeAll(async () => {
    root = await mkdtemp(join(tmpdir(), "posthorn-master-key-"));
  });
  afterAll(() => rm(root, { recursive: true }));

  const find = async (options: Partial<FindMasterKeyOptions> = {}) =>
    findMasterKey({
      given: undefined,
      dataDir: await mkdtemp(join(root, "data-")),
      hasTenantKeys: () => Promise.resolve(false),
      random: (target) => void randomFillSync(target),
      ...options,
    });
  const idOf = async (result: ReturnType<typeof find>) => {
    const found = await result;
    if (!found.ok) throw new Error(found.message);
    return found.key.id;
  };

  test("is made once in the data directory, for its owner only, and found again", async () => {
    const dataDir = await mkdtemp(join(root, "data-"));
    const id = await idOf(find({ dataDir }));
    expect(await readdir(dataDir)).toEqual(["master.key"]);
    expect((await stat(join(dataDir, "master.key"))).mode & 0o777).toBe(0o600);
    expect(await readFile(join(dataDir, "master.key"), "utf8")).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(await idOf(find({ dataDir, hasTenantKeys: () => Promise.resolve(true) }))).toBe(id);
  });

  test("is one key when several processes look for it at once", async () => {
    const dataDir = await mkdtemp(join(root, "data-"));
    const ids = await Promise.all(Array.from({ length: 8 }, () => idOf(find({ dataDir }))));
    expect(new Set(ids).size).toBe(1);
    expect(await readdir(dataDir)).toEqual(["master.key"]);
  });

  test("is never made anew while the database holds secrets of the lost one", async () => {
    const dataDir = await mkdtemp(join(root, "data-"));
    const result = await find({ dataDir, hasTenantKeys: () => Promise.resolve(true) });
    expect(result).toMatchObject({ ok: false, code: "MASTER_KEY_LOST" });
    expect(await readdir(dataDir)).toEqual([]);
  });

  test("is the given one before the file", async () => {
    const dataDir = await mkdtemp(join(root, "data-"));
    await idOf(find({ dataDir }));
    expect(await find({ dataDir, given: KEY })).toEqual(openMasterKey(KEY));
  });

  test("must be given with a database of one's own", async () => {
    const result = await find({ dataDir: undefined });
    expect(result).toMatchObject({ ok: false, code: "MASTER_KEY_REQUIRED" });
    expect(result.ok ? "" : result.message).toContain("openssl rand -base64 32");
  });

  test("is refused when its file is damaged, by the file's name", async () => {
    const dataDir = await mkdtemp(join(root, "data-"));
    await writeFile(join(dataDir, "master.key"), "");
    const result = await find({ dataDir });
    expect(result).toMatchObject({ ok: false, code: "INVALID_MASTER_KEY" });
    expect(result.ok ? "" : result.message).toContain(join(dataDir, "master.key"));
  });

  test("is closed again when a restored backup left it readable by others", async () => {
    const dataDir = await mkdtemp(join(root, "data-"));
    await idOf(find({ dataDir }));
    await chmod(join(dataDir, "master.key"), 0o644);
    await idOf(find({ dataDir }));
    expect((await stat(join(dataDir, "master.key"))).mode & 0o777).toBe(0o600);
  });
});
