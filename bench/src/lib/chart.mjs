// Draws a summary as one SVG: throughput, latency at a fixed rate, CPU per event. No dependency, no fonts of its own.
// Must never cut an axis: every bar starts at zero.

/** @typedef {import("./summary.mjs").Spread} Spread @typedef {import("./summary.mjs").ScenarioSummary} ScenarioSummary */
/** @typedef {{ label: string, value: Spread, color: string, text: string }} Bar */
/** @typedef {{ label: string, bars: Bar[] }} Group */

const WIDTH = 860;
const LABEL_WIDTH = 190;
const VALUE_WIDTH = 130;
const PLOT_WIDTH = WIDTH - LABEL_WIDTH - VALUE_WIDTH;
const BAR_HEIGHT = 17;
const BAR_GAP = 4;
const GROUP_GAP = 14;
const INK = "#1f2933";
const FAINT = "#6b7785";
const GRID = "#e3e8ee";
const COLORS = { bare: "#9aa8b8", product: "#2166ac" };
const NAMES = { bare: "bare loop", product: "Posthorn" };

/**
 * @param {ScenarioSummary[]} summary
 * @param {string} machine one line about where it was measured
 * @returns {string}
 */
export function drawChart(summary, machine) {
  const panels = [
    { title: "Throughput, events per second (more is better)", groups: throughputGroups(summary) },
    { title: "Capture to receiver at 1,000 events/s, milliseconds (less is better)", groups: latencyGroups(summary) },
    { title: "CPU per event, Node and PostgreSQL together, microseconds (less is better)", groups: cpuGroups(summary) },
  ].filter(({ groups }) => groups.length > 0);
  let y = 64;
  let body = "";
  for (const panel of panels) {
    const drawn = drawPanel(panel.title, panel.groups, y);
    body += drawn.svg;
    y = drawn.endY + 26;
  }
  const height = y + 32;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" font-family="system-ui, 'DejaVu Sans', Arial, sans-serif" font-size="12">`,
    `<title>Posthorn beside the bare loop</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    text(20, 28, "Posthorn beside the bare loop", { size: 17, weight: 600 }),
    legend(summary, 46),
    body,
    text(20, y, "Bars: median of the rounds; thin lines: from the least to the greatest.", { size: 11, fill: FAINT }),
    text(20, y + 15, machine, { size: 11, fill: FAINT }),
    "</svg>\n",
  ].join("\n");
}

/** @param {ScenarioSummary[]} summary @param {number} y */
function legend(summary, y) {
  let x = 20;
  let svg = "";
  for (const side of sidesOf(summary)) {
    svg += `<rect x="${x}" y="${y - 9}" width="11" height="11" fill="${COLORS[side]}"/>`;
    svg += text(x + 16, y, NAMES[side], { fill: INK });
    x += 110;
  }
  return svg;
}

/** @param {ScenarioSummary[]} summary @returns {("bare" | "product")[]} */
function sidesOf(summary) {
  return /** @type {const} */ (["bare", "product"]).filter((side) =>
    summary.some((scenario) => scenario[side] !== null),
  );
}

/** @param {ScenarioSummary[]} summary @returns {Group[]} */
function throughputGroups(summary) {
  return groupsOf(
    summary.filter(({ paced }) => !paced),
    (side) => side.eventsPerSecond,
    (value, scenario, side) =>
      whole(value.median) +
      (side === "product" && scenario.ratio !== null ? `  (${scenario.ratio.median.toFixed(2)}×)` : ""),
  );
}

/** @param {ScenarioSummary[]} summary @returns {Group[]} */
function cpuGroups(summary) {
  return groupsOf(
    summary.filter(({ paced }) => !paced),
    (side) => sum(side.nodeCpuUsPerEvent, side.postgresCpuUsPerEvent),
    (value) => `${whole(value.median)} µs`,
  );
}

/** @param {Spread | null} a @param {Spread | null} b @returns {Spread | null} */
function sum(a, b) {
  return a === null || b === null ? null : { median: a.median + b.median, min: a.min + b.min, max: a.max + b.max };
}

/** @param {ScenarioSummary[]} summary @returns {Group[]} */
function latencyGroups(summary) {
  const scenario = summary.find(({ scenario: name }) => name === "latency");
  if (scenario === undefined) return [];
  return /** @type {const} */ (["p50", "p95", "p99"]).flatMap((rank) =>
    groupsOf(
      [{ ...scenario, title: rank }],
      (side) => side.receiveMs[rank],
      (value) => `${value.median.toFixed(1)} ms`,
    ),
  );
}

/**
 * @param {ScenarioSummary[]} scenarios
 * @param {(side: import("./summary.mjs").SideSummary) => Spread | null} pick
 * @param {(value: Spread, scenario: ScenarioSummary, side: "bare" | "product") => string} label
 * @returns {Group[]}
 */
function groupsOf(scenarios, pick, label) {
  return scenarios.flatMap((scenario) => {
    const bars = sidesOf([scenario]).flatMap((side) => {
      const figures = scenario[side];
      const value = figures === null ? null : pick(figures);
      if (value === null) return [];
      return [{ label: NAMES[side], value, color: COLORS[side], text: label(value, scenario, side) }];
    });
    return bars.length === 0 ? [] : [{ label: scenario.title, bars }];
  });
}

/** @param {string} title @param {Group[]} groups @param {number} top @returns {{ svg: string, endY: number }} */
function drawPanel(title, groups, top) {
  const longest = Math.max(...groups.flatMap(({ bars }) => bars.map(({ value }) => value.max)));
  const step = niceStep(longest / 5);
  const end = Math.ceil(longest / step) * step;
  /** @param {number} value */
  const x = (value) => LABEL_WIDTH + (value / end) * PLOT_WIDTH;
  let y = top + 34;
  let bars = "";
  for (const group of groups) {
    const middle = y + (group.bars.length * (BAR_HEIGHT + BAR_GAP) - BAR_GAP) / 2;
    bars += text(LABEL_WIDTH - 10, middle + 4, group.label, { anchor: "end" });
    for (const bar of group.bars) {
      bars += drawBar(bar, x, y);
      y += BAR_HEIGHT + BAR_GAP;
    }
    y += GROUP_GAP - BAR_GAP;
  }
  const bottom = y - GROUP_GAP + 8;
  let grid = "";
  for (let value = 0; value <= end + step / 2; value += step) {
    grid += `<line x1="${x(value)}" y1="${top + 26}" x2="${x(value)}" y2="${bottom}" stroke="${GRID}"/>`;
    grid += text(x(value), bottom + 15, tick(value, step), { anchor: "middle", size: 11, fill: FAINT });
  }
  return { svg: text(20, top + 14, title, { weight: 600, size: 13 }) + grid + bars, endY: bottom + 20 };
}

/** @param {Bar} bar @param {(value: number) => number} x @param {number} y */
function drawBar(bar, x, y) {
  const middle = y + BAR_HEIGHT / 2;
  const { median, min, max } = bar.value;
  const end = Math.max(x(median), x(max));
  return [
    `<rect x="${x(0)}" y="${y}" width="${round(x(median) - x(0))}" height="${BAR_HEIGHT}" fill="${bar.color}"/>`,
    `<line x1="${round(x(min))}" y1="${middle}" x2="${round(x(max))}" y2="${middle}" stroke="${INK}" stroke-width="1"/>`,
    text(round(end + 8), middle + 4, bar.text, { size: 12 }),
  ].join("");
}

/** 1, 2 or 5 times a power of ten, at least as large as asked. @param {number} least */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return ([1, 2, 5, 10].find((factor) => factor * power >= least) ?? 10) * power;
}

/** @param {number} value @param {number} step */
function tick(value, step) {
  return step < 1 ? value.toFixed(1) : whole(value);
}

/** @param {number} value */
function whole(value) {
  return Math.round(value).toLocaleString("en-GB");
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** @param {number} x @param {number} y @param {string} content @param {{ anchor?: string, size?: number, weight?: number, fill?: string }} style */
function text(x, y, content, { anchor = "start", size = 12, weight = 400, fill = INK }) {
  const escaped = content.replace(/&/g, "&amp;").replace(/</g, "&lt;");
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" font-size="${size}" font-weight="${weight}" fill="${fill}">${escaped}</text>`;
}
