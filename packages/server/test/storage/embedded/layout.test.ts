// Proves the decisions about users and places, and that a folder laid as a trap is not used.
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { fitsSocket, makePrivateDir, prepareLayout } from "../../../src/storage/embedded/layout.ts";
import { canTraverse, chooseOsUser, parsePasswd } from "../../../src/storage/embedded/os-user.ts";
import { parsePostmasterPid } from "../../../src/storage/embedded/postmaster.ts";
import { serverArguments } from "../../../src/storage/embedded/settings.ts";

const isRoot = process.getuid?.() === 0;
const folder = mkdtempSync("/tmp/posthorn-layout-");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the user that PostgreSQL runs as", () => {
  test("is read from the password file, lines of other shapes aside", () => {
    expect(
      parsePasswd(
        "root:x:0:0::/root:/bin/sh\n# comment\n+::::::\npostgres:x:101:104:PostgreSQL,,,:/var/lib:/bin/bash\n",
      ),
    ).toEqual([
      { name: "root", uid: 0, gid: 0 },
      { name: "postgres", uid: 101, gid: 104 },
    ]);
  });

  test.runIf(isRoot)("is postgres for root, else nobody, and never root under another name", () => {
    const passwd = join(folder, "passwd");
    writeFileSync(passwd, "nobody:x:65534:65534::/:/bin/false\npostgres:x:101:104::/:/bin/sh\n");
    expect(chooseOsUser(passwd)?.name).toBe("postgres");
    writeFileSync(passwd, "nobody:x:65534:65534::/:/bin/false\npostgres:x:0:0::/:/bin/sh\n");
    expect(chooseOsUser(passwd)?.name).toBe("nobody");
    writeFileSync(passwd, "root:x:0:0::/:/bin/sh\n");
    expect(() => chooseOsUser(passwd)).toThrow(expect.objectContaining({ code: "EMBEDDED_NO_USER" }));
  });

  test.skipIf(isRoot)("is ourselves for an ordinary user", () => {
    expect(chooseOsUser()).toBeUndefined();
  });

  test.each([
    [0o711, "others", true],
    [0o710, "others", false],
    [0o701, "group", false],
    [0o710, "group", true],
    [0o077, "owner", false],
    [0o100, "owner", true],
  ])("can pass a folder of mode %o as %s: %s", (mode, as, expected) => {
    const path = join(folder, `mode-${mode.toString(8)}-${as}`);
    mkdirSync(path);
    const { uid, gid } = statSync(path);
    chmodSync(path, mode);
    chmodSync(folder, 0o755);
    const user = { name: "x", uid: as === "owner" ? uid : 4242, gid: as === "group" ? gid : 4242 };
    expect(canTraverse(path, user)).toBe(expected);
    chmodSync(path, 0o700);
  });
});

describe("the socket's folder", () => {
  test("may be so long that the socket's path has 107 bytes, counted as bytes", () => {
    const rest = Buffer.byteLength("/.s.PGSQL.5432");
    expect(fitsSocket(`/${"a".repeat(106 - rest)}`)).toBe(true);
    expect(fitsSocket(`/${"a".repeat(107 - rest)}`)).toBe(false);
    expect(fitsSocket(`/${"é".repeat(60)}`)).toBe(false);
  });

  test("is closed to others, and closed again when somebody opened it", () => {
    const path = join(folder, "private");
    makePrivateDir(path, undefined);
    chmodSync(path, 0o777);
    makePrivateDir(path, undefined);
    expect(statSync(path).mode & 0o777).toBe(0o700);
  });

  test("is refused as a link: whoever made it decides where our password goes", () => {
    const path = join(folder, "link");
    mkdirSync(join(folder, "elsewhere"));
    symlinkSync(join(folder, "elsewhere"), path);
    expect(() => makePrivateDir(path, undefined)).toThrow(expect.objectContaining({ code: "EMBEDDED_DATA_DIR" }));
  });

  test.runIf(isRoot)("is refused when it belongs to somebody else", () => {
    const path = join(folder, "foreign");
    mkdirSync(path);
    chownSync(path, 4242, 4242);
    expect(() => makePrivateDir(path, undefined)).toThrow("belongs to somebody else");
    expect(() => makePrivateDir(path, { name: "x", uid: 101, gid: 104 })).toThrow("belongs to somebody else");
  });
});

test("the layout keeps to the same folders when asked again", () => {
  const dataDir = join(folder, "data");
  expect(prepareLayout(dataDir, join(folder, "state"))).toEqual(prepareLayout(dataDir, join(folder, "state")));
});

test("postmaster.pid is read complete, half written, and not at all", () => {
  const whole = "4711\n/var/data\n1790000000\n5432\n/run/pg\n\n  5432001    32768\nready   \n";
  expect(parsePostmasterPid(whole)).toEqual({ pid: 4711, port: 5432, socketDir: "/run/pg" });
  expect(parsePostmasterPid("4711\n/var/data\n")).toEqual({ pid: 4711, port: 0, socketDir: "" });
  for (const text of ["", "\n", "-1\n", "0\n", "nonsense"]) expect(parsePostmasterPid(text)).toBeUndefined();
});

test("durability is on the command line, where no file overrides it", () => {
  const line = serverArguments().join(" ");
  for (const name of ["fsync", "full_page_writes", "synchronous_commit"]) expect(line).toContain(`-c ${name}=on`);
  expect(serverArguments({ jit: "on" }).join(" ")).not.toContain("jit=off");
});
