// Proves the lock between real processes: one holder at a time, none lost to the dead, none stolen from the living.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { transformWithOxc } from "vite";
import { ownProcess } from "../../src/lib/process-identity.ts";
import { acquireProcessLock, findLockHolder } from "../../src/lib/process-lock.ts";

const folder = mkdtempSync(join(tmpdir(), "posthorn-lock-"));
let next = 0;
const newPath = () => join(folder, `lock-${(next += 1)}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Node 20 runs no TypeScript, and other processes must run this very code. */
beforeAll(async () => {
  mkdirSync(join(folder, "lib"));
  for (const name of ["process-lock", "process-identity"]) {
    const source = readFileSync(new URL(`../../src/lib/${name}.ts`, import.meta.url), "utf8");
    const { code } = await transformWithOxc(source, `${name}.ts`);
    writeFileSync(join(folder, "lib", `${name}.mjs`), code.replaceAll(/(\.\/[\w-]+)\.ts"/g, '$1.mjs"'));
  }
});

function runChild(script: string, ...args: string[]): ChildProcess {
  const preamble = `import { acquireProcessLock } from ${JSON.stringify(join(folder, "lib", "process-lock.mjs"))};
    import { writeFileSync, rmSync } from "node:fs";
    const [path, ...rest] = process.argv.slice(1);\n`;
  return spawn(process.execPath, ["--input-type=module", "-e", preamble + script, ...args], {
    stdio: ["ignore", "pipe", "ignore"],
  });
}

async function firstLine(child: ChildProcess): Promise<string> {
  const [chunk] = (await once(child.stdout!, "data")) as [Buffer];
  return chunk.toString().trim();
}

const HOLD = `const { lock } = await acquireProcessLock(path, { url: "http://127.0.0.1:8420" });
  console.log("holding"); setInterval(() => {}, 1000);`;

describe("a process lock", () => {
  test("is held by one; the second learns who and what", async () => {
    const path = newPath();
    const first = await acquireProcessLock(path, { url: "http://127.0.0.1:8420" });
    expect(first.outcome).toBe("acquired");
    expect(await acquireProcessLock(path)).toEqual({
      outcome: "held",
      pid: process.pid,
      info: { url: "http://127.0.0.1:8420" },
    });
    expect(await findLockHolder(path)).toEqual({ pid: process.pid, info: { url: "http://127.0.0.1:8420" } });
  });

  test("tells later what became known later", async () => {
    const path = newPath();
    const result = await acquireProcessLock(path, { phase: "starting" });
    if (result.outcome === "acquired") await result.lock.update({ phase: "serving", url: "http://x" });
    expect(await findLockHolder(path)).toMatchObject({ info: { phase: "serving", url: "http://x" } });
  });

  test("is free after release, which may be called again and outlasts a late update", async () => {
    const path = newPath();
    const result = await acquireProcessLock(path);
    if (result.outcome !== "acquired") throw new Error("not acquired");
    await Promise.all([result.lock.release(), result.lock.update({ late: "yes" }), result.lock.release()]);
    expect(await findLockHolder(path)).toBeUndefined();
    expect((await acquireProcessLock(path)).outcome).toBe("acquired");
  });

  test("of a living process stays, and of a killed one is taken over", async () => {
    const path = newPath();
    const child = runChild(HOLD, path);
    expect(await firstLine(child)).toBe("holding");
    expect(await acquireProcessLock(path)).toMatchObject({ outcome: "held", pid: child.pid });
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(await findLockHolder(path)).toBeUndefined();
    expect((await acquireProcessLock(path)).outcome).toBe("acquired");
  });

  test.runIf(process.platform === "linux")("of a process whose pid was given out again is taken over", async () => {
    const path = newPath();
    mkdirSync(path);
    const [boot, ticks] = ownProcess().startedAt.split("_");
    writeFileSync(join(path, `${process.pid}.${boot}_${Number(ticks) - 1}.x`), "{}");
    expect((await acquireProcessLock(path)).outcome).toBe("acquired");
  });

  test("that a power failure emptied still names its holder", async () => {
    const path = newPath();
    mkdirSync(path);
    writeFileSync(join(path, `${process.pid}.${ownProcess().startedAt}.x`), "");
    expect(await acquireProcessLock(path)).toEqual({ outcome: "held", pid: process.pid, info: {} });
  });

  test("leaves nothing behind", async () => {
    const place = newPath();
    mkdirSync(place);
    const result = await acquireProcessLock(join(place, "lock"), { a: "b" });
    await acquireProcessLock(join(place, "lock"));
    if (result.outcome === "acquired") {
      await result.lock.update({ c: "d" });
      await result.lock.release();
    }
    expect(readdirSync(place)).toEqual([]);
  });

  test("says what is wrong when its folder is missing", async () => {
    await expect(acquireProcessLock(join(folder, "absent", "lock"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});

test("processes that fight for the lock of a dead one, hundreds of times, never hold it two at a time", async () => {
  const path = newPath();
  const inside = join(folder, "inside");
  // Who holds the lock marks itself inside; finding another mark there means two holders. Then it dies as far as anybody
  // can see: its mark gets the name of a process that is gone, and the fight begins anew. Removing the dead holder's
  // whole folder instead of its mark, which is the mistake to catch, made this fail in each of five runs.
  const script = `import { readdirSync, renameSync } from "node:fs";
    let taken = 0;
    for (const end = Date.now() + Number(rest[1]); Date.now() < end; ) {
      const result = await acquireProcessLock(path);
      if (result.outcome === "held") continue;
      taken += 1;
      try { writeFileSync(rest[0], String(process.pid), { flag: "wx" }); } catch { console.log("TWO HOLDERS"); break; }
      await new Promise((resolve) => setImmediate(resolve));
      const [mark] = readdirSync(path);
      rmSync(rest[0]);
      renameSync(path + "/" + mark, path + "/999999999.." + taken);
    }
    console.log("taken " + taken);`;
  const children = Array.from({ length: 6 }, () => runChild(script, path, inside, "2500"));
  const outputs = await Promise.all(
    children.map(async (child) => {
      let output = "";
      child.stdout!.on("data", (chunk: Buffer) => (output += chunk.toString()));
      await once(child, "close");
      return output;
    }),
  );
  expect(outputs.join("")).not.toContain("TWO HOLDERS");
  expect(children.map((child) => child.exitCode)).toEqual([0, 0, 0, 0, 0, 0]);
  const taken = outputs.map((output) => Number(/taken (\d+)/.exec(output)?.[1]));
  expect(taken.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(100);
  expect((await acquireProcessLock(path)).outcome).toBe("acquired");
}, 30_000);
