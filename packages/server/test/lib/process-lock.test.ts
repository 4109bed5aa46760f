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
    stdio: ["ignore", "pipe", "inherit"],
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

test("many processes that fight for the lock of a dead one, and die holding it, never hold it two at a time", async () => {
  const path = newPath();
  const inside = join(folder, "inside");
  // Who holds the lock marks itself inside; finding another living mark there means two holders. Every second one dies
  // without releasing, which leaves the next ones a stale lock to fight over.
  const script = `let taken = 0;
    for (let turn = 0; turn < 4000 && taken < 25; turn += 1) {
      const result = await acquireProcessLock(path);
      if (result.outcome === "held") { await new Promise((resolve) => setImmediate(resolve)); continue; }
      taken += 1;
      try { writeFileSync(rest[0], String(process.pid), { flag: "wx" }); } catch { console.log("TWO HOLDERS"); process.exit(1); }
      await new Promise((resolve) => setTimeout(resolve, 1));
      rmSync(rest[0]);
      if (taken === Number(rest[1])) process.kill(process.pid, "SIGKILL");
      await result.lock.release();
    }
    console.log("taken " + taken);`;
  const children = Array.from({ length: 8 }, (_, index) =>
    runChild(script, path, inside, index % 2 === 0 ? "5" : "1000"),
  );
  const outputs = await Promise.all(
    children.map(async (child) => {
      let output = "";
      child.stdout!.on("data", (chunk: Buffer) => (output += chunk.toString()));
      await once(child, "close");
      return output;
    }),
  );
  expect(outputs.join("")).not.toContain("TWO HOLDERS");
  expect(children.filter((child) => child.signalCode === "SIGKILL")).toHaveLength(4);
  expect(outputs.filter((output) => output.includes("taken 25"))).not.toEqual([]);
  expect((await acquireProcessLock(path)).outcome).toBe("acquired");
}, 30_000);
