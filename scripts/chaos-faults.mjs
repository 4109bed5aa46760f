// The table of faults F1 to F18: for each what is done, and the named tests that do it. `npm run chaos -- --faults` runs
// them all with one command and prints what came of each. A fault without a test that ran is not proven.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";

const CRASH = "packages/server/test/crash";
const GUARANTEES = "packages/server/test/guarantees";
const DELIVER = "packages/server/test/deliver";
const ZOO = "packages/server/test/security/outbound/zoo.test.ts";

/** Each place is a file, and what its tests' names must contain. */
const FAULTS = [
  [
    "F1",
    "node killed at each point of a delivery",
    [
      [`${CRASH}/kill-points.test.ts`, /send|response|record|left/],
      [`${CRASH}/fan-out.test.ts`, /./],
    ],
  ],
  ["F2", "node killed while it captures", [[`${CRASH}/kill-points.test.ts`, /commit/]]],
  ["F3", "PostgreSQL killed and stopped at once", [[`${CRASH}/postgres-kills.test.ts`, /./]]],
  [
    "F4",
    "backends terminated, connections refused, silence",
    [
      [`${CRASH}/faults.test.ts`, /terminated/],
      [`${CRASH}/cut-connections.test.ts`, /refuses|silent/],
      [`${GUARANTEES}/limits.test.ts`, /database is away/],
    ],
  ],
  ["F5", "answer to a commit lost", [[`${CRASH}/cut-connections.test.ts`, /COMMIT|recorded once/]]],
  [
    "F6",
    "a receiver unreachable, reset, cut or silent",
    [
      [ZOO, /\/(rst|fin|half-then-rst|hang|body-then)/],
      [`${GUARANTEES}/isolation-of-trouble.test.ts`, /dead endpoint/],
    ],
  ],
  [
    "F7",
    "clocks that jump and drift",
    [
      [`${CRASH}/faults.test.ts`, /wall clock/],
      [`${CRASH}/faults.test.ts`, /database's clock/],
      ["packages/server/test/lib/clock.test.ts", /./],
      [`${DELIVER}/simulation.test.ts`, /./],
      [`${CRASH}/mutations.test.ts`, /wall clock/],
    ],
  ],
  ["F8", "disk full", [[`${CRASH}/disk-full.test.ts`, /./]]],
  [
    "F9",
    "a slow receiver with a backlog",
    [
      [`${CRASH}/receivers.test.ts`, /slow receiver/],
      [`${GUARANTEES}/isolation-of-trouble.test.ts`, /dead endpoint/],
      [ZOO, /drip|slow/],
    ],
  ],
  [
    "F10",
    "many dead receivers",
    [
      [`${CRASH}/receivers.test.ts`, /dead endpoints/],
      [`${DELIVER}/breaker.test.ts`, /thousand endpoints/],
      ["packages/server/test/security/outbound/guard.test.ts", /./],
    ],
  ],
  [
    "F11",
    "receivers that come back together",
    [
      [`${CRASH}/receivers.test.ts`, /come back together/],
      [`${DELIVER}/breaker.test.ts`, /ramp|restored|left open/],
    ],
  ],
  ["F12", "the same event published again, also at once", [[`${GUARANTEES}/idempotency.test.ts`, /./]]],
  ["F13", "200 after our timeout", [[`${GUARANTEES}/delivery.test.ts`, /after our time/]]],
  [
    "F14",
    "node frozen past its lease, or cut off",
    [
      [`${CRASH}/frozen-node.test.ts`, /./],
      [`${CRASH}/faults.test.ts`, /cut off/],
      [`${CRASH}/mutations.test.ts`, /fence|takeover/],
    ],
  ],
  [
    "F15",
    "nodes join, stop and die under load",
    [
      [`${CRASH}/many-nodes.test.ts`, /./],
      [`${DELIVER}/many-nodes.test.ts`, /./],
    ],
  ],
  ["F16", "a transaction that stays open", [[`${CRASH}/faults.test.ts`, /stays open/]]],
  ["F17", "payloads and expressions that kill", [["packages/server/test/expressions/poison.test.ts", /./]]],
  ["F18", "no upkeep for five days", [["packages/server/test/maintain/partitions.test.ts", /five days|lost is made/]]],
  ["F20", "everything at once, on two and on four nodes", [[`${CRASH}/chaos.test.ts`, /./]]],
];

/** Runs the tests of all faults (or of those named), prints the table; resolves with how many are not proven. */
export async function proveFaults(root, names) {
  const faults = names.length === 0 ? FAULTS : FAULTS.filter(([name]) => names.includes(name));
  const files = [...new Set(faults.flatMap(([, , places]) => places.map(([file]) => file)))];
  const folder = mkdtempSync(join(tmpdir(), "posthorn-faults-"));
  const [report, scenes] = [join(folder, "report.json"), join(folder, "scenes.jsonl")];
  const vitest = spawn(
    process.execPath,
    [
      join(root, "node_modules", "vitest", "vitest.mjs"),
      "run",
      "--reporter=dot",
      "--reporter=json",
      `--outputFile.json=${report}`,
      ...files,
    ],
    { cwd: root, stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, POSTHORN_FAULT_REPORT: scenes } },
  );
  process.once("SIGTERM", () => vitest.kill("SIGTERM"));
  await new Promise((resolve) => vitest.once("exit", resolve));
  const tests = readTests(root, report);
  const judged = readScenes(root, scenes);
  rmSync(folder, { recursive: true, force: true });
  return printTable(faults, tests, judged);
}

function readTests(root, report) {
  if (!existsSync(report)) return [];
  return JSON.parse(readFileSync(report, "utf8")).testResults.flatMap((file) =>
    file.assertionResults.map(({ fullName, status }) => ({ file: relative(root, file.name), name: fullName, status })),
  );
}

/** By file: the scenes of its tests, each as it was judged last, added up. */
function readScenes(root, path) {
  const last = new Map();
  const lines = existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];
  for (const line of lines) {
    const scene = JSON.parse(line);
    last.set(scene.scene, scene);
  }
  const sums = new Map();
  for (const { file, acknowledged, lost, duplicates, unexplained } of last.values()) {
    const name = relative(root, file);
    const sum = sums.get(name) ?? { acknowledged: 0, lost: 0, duplicates: 0, unexplained: 0 };
    sum.acknowledged += acknowledged;
    sum.lost += lost;
    sum.duplicates += duplicates;
    sum.unexplained += unexplained;
    sums.set(name, sum);
  }
  return sums;
}

function printTable(faults, tests, judged) {
  const line = (...cells) => {
    const widths = [4, 50, 5, 7, 5, 8, 12, 11];
    console.log(
      cells
        .map((cell, at) => String(cell).padEnd(widths[at] ?? 0))
        .join(" ")
        .trimEnd(),
    );
  };
  console.log();
  // Acknowledged, lost and repeated are those of all scenes of its files: a scene is judged as a whole.
  line("", "what is done", "tests", "ack'd", "lost", "repeats", "unexplained", "verdict", "where");
  let unproven = 0;
  for (const [name, what, places] of faults) {
    const of = tests.filter(({ file, name: test }) =>
      places.some(([path, pattern]) => path === file && pattern.test(test)),
    );
    const ran = of.filter(({ status }) => status === "passed" || status === "failed");
    const everyPlace = places.every(([path, pattern]) =>
      ran.some(({ file, name: test }) => path === file && pattern.test(test)),
    );
    const failed = ran.filter(({ status }) => status === "failed");
    const verdict = failed.length > 0 ? `BROKEN (${failed.length})` : everyPlace ? "kept" : "NOT RUN";
    if (verdict !== "kept") unproven += 1;
    const files = [...new Set(places.map(([path]) => path))];
    const sums = files.map((file) => judged.get(file)).filter((sum) => sum !== undefined);
    const sum = (key) => (sums.length === 0 ? "-" : sums.reduce((total, each) => total + each[key], 0));
    const where = files.map((file) => file.replace("packages/server/test/", "")).join(", ");
    line(
      name,
      what,
      ran.length,
      sum("acknowledged"),
      sum("lost"),
      sum("duplicates"),
      sum("unexplained"),
      verdict,
      where,
    );
    for (const { name: test } of failed) console.log(`       ${test}`);
  }
  return unproven;
}
