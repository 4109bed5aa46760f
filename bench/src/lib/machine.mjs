// Says where a run took place, and waits until nobody else uses the machine. Must never claim quiet it did not see.
import { availableParallelism, cpus, totalmem } from "node:os";
import { machineCpuSeconds } from "./proc.mjs";

const LOOK_MS = 500;
const QUIET_SHARE = 0.1;
const COMMIT_COUNT = 300;

/** @param {import("./postgres.mjs").BenchPostgres} postgres */
export async function describeMachine(postgres) {
  return {
    cores: availableParallelism(),
    processor: cpus()[0]?.model.trim() ?? "unknown",
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    postgres: postgres.version,
    singleCommitsPerSecond: await singleCommitsPerSecond(postgres),
  };
}

/** How fast this disk makes one small commit after another durable. @param {import("./postgres.mjs").BenchPostgres} postgres */
async function singleCommitsPerSecond(postgres) {
  const client = await postgres.connect("postgres");
  await client.query("create table commit_speed (n int)");
  const startedAtMs = performance.now();
  for (let n = 0; n < COMMIT_COUNT; n += 1) await client.query("insert into commit_speed values (1)");
  const seconds = (performance.now() - startedAtMs) / 1000;
  await client.query("drop table commit_speed");
  await client.end();
  return Math.round(COMMIT_COUNT / seconds);
}

/** @param {Awaited<ReturnType<typeof describeMachine>>} machine @returns {string} one line */
export function machineLine({
  cores,
  processor,
  memoryGiB,
  platform,
  node,
  postgres,
  singleCommitsPerSecond: commits,
}) {
  return `${cores} cores (${processor}), ${memoryGiB} GiB, ${platform}, Node ${node}, PostgreSQL ${postgres}, ${commits} single commits/s.`;
}

/**
 * Waits until the machine is nearly idle, at most so long.
 * @param {number} timeoutMs
 */
export async function waitForQuiet(timeoutMs) {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    const before = machineCpuSeconds();
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    const after = machineCpuSeconds();
    if (before === null || after === null) return;
    if ((after - before) / (LOOK_MS / 1000) / availableParallelism() < QUIET_SHARE) return;
  }
}
