// Writes what was seen: the table for the terminal and the generated block of bench/README.md.
// Must never touch a line of the README outside its two markers.
import { readFile, writeFile } from "node:fs/promises";

/** @typedef {import("./summary.mjs").ScenarioSummary} ScenarioSummary @typedef {import("./summary.mjs").Spread} Spread */

const BEGIN = "<!-- results: begin (written by run.mjs) -->";
const END = "<!-- results: end -->";
/** More CPU than this in other hands, and figures are no longer worth publishing. */
const DISTURBED_SHARE = 0.1;

/** @param {ScenarioSummary[]} summary @returns {string} a Markdown table */
export function resultsTable(summary) {
  const head = [
    "scenario",
    "side",
    "events/s",
    "ratio",
    "ack p50 / p95 / p99 ms",
    "received p50 / p95 / p99 ms",
    "CPU µs/event Node + PG",
    "stored B/event",
    "peak MB",
    "others' CPU",
  ];
  const rows = summary.flatMap((scenario) =>
    /** @type {const} */ (["bare", "product"]).flatMap((name) => {
      const side = scenario[name];
      if (side === null) return [];
      const ratio = name === "product" && scenario.ratio !== null && !scenario.paced ? scenario.ratio : null;
      return [
        [
          scenario.title,
          name,
          `${whole(side.eventsPerSecond)} (${range(side.eventsPerSecond)})`,
          ratio === null ? "" : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`,
          ranks(side.acknowledgeMs),
          ranks(side.receiveMs),
          `${whole(side.nodeCpuUsPerEvent)} + ${whole(side.postgresCpuUsPerEvent)}`,
          whole(side.storedBytesPerEvent),
          side.peakMemoryBytes === null ? "–" : String(Math.round(side.peakMemoryBytes.median / 1e6)),
          side.othersCpuShare === null ? "–" : `${Math.round(side.othersCpuShare.median * 100)} %`,
        ],
      ];
    }),
  );
  const large = summary.flatMap((scenario) => largeLines(scenario));
  return [row(head), row(head.map(() => "---")), ...rows.map(row), ...large].join("\n");
}

/**
 * What to say when somebody else used the machine, or null when nobody did.
 * @param {ScenarioSummary[]} summary
 */
export function disturbanceNote(summary) {
  const shares = summary.flatMap(({ bare, product }) => [bare, product].map((side) => side?.othersCpuShare?.max ?? 0));
  const most = Math.max(0, ...shares);
  if (most <= DISTURBED_SHARE) return null;
  return `**Not a result:** other programs used up to ${Math.round(most * 100)} % of the machine meanwhile.`;
}

/** @param {ScenarioSummary} scenario */
function largeLines(scenario) {
  return /** @type {const} */ (["bare", "product"]).flatMap((name) => {
    const side = scenario[name];
    if (side === null || side.acknowledgeLargeMs.p99 === null) return [];
    return [
      "",
      `${scenario.title}, ${name}: the large ones are acknowledged in ${ranks(side.acknowledgeLargeMs)} ms (p50 / p95 / p99).`,
    ];
  });
}

/** @param {string[]} cells */
function row(cells) {
  return `| ${cells.join(" | ")} |`;
}

/** @param {Record<"p50" | "p95" | "p99", Spread | null>} figures */
function ranks({ p50, p95, p99 }) {
  if (p50 === null) return "–";
  return [p50, p95, p99].map((one) => one?.median.toFixed(1) ?? "–").join(" / ");
}

/** @param {Spread | null} figure */
function whole(figure) {
  return figure === null ? "–" : Math.round(figure.median).toLocaleString("en-GB");
}

/** @param {Spread} figure */
function range({ min, max }) {
  return `${Math.round(min).toLocaleString("en-GB")}–${Math.round(max).toLocaleString("en-GB")}`;
}

/** @param {string} path of the README @param {string} block Markdown */
export async function writeResultsBlock(path, block) {
  const readme = await readFile(path, "utf8");
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin < 0 || end < begin) throw new Error(`${path} has lost its markers`);
  await writeFile(path, `${readme.slice(0, begin + BEGIN.length)}\n\n${block}\n\n${readme.slice(end)}`);
}
