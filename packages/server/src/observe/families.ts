// Figures as plain values, and their text in Prometheus' format (0.0.4). Plain, because figures of several processes
// travel between them. Pure; must never show a metric or a label that is not in the table.
import { METRICS, type MetricName } from "./metric-table.ts";

export interface Sample {
  readonly name: MetricName;
  /** Values in the order of the table's labels. */
  readonly labels: readonly string[];
  readonly value: number | HistogramValue;
}

export interface HistogramValue {
  /** Upper bounds, inclusive, without the infinite one. */
  readonly bounds: readonly number[];
  /** One more than bounds; not cumulative. */
  readonly counts: readonly number[];
  readonly sum: number;
}

/** What one process says about itself, or with `process` null what the installation says. */
export interface Figures {
  /** Its name among the processes that one scrape shows. */
  readonly process: string | null;
  readonly samples: readonly Sample[];
}

/** The text of one scrape. Samples of one metric stand together, as the format wants it. */
export function renderFigures(all: readonly Figures[]): string {
  let text = "";
  for (const [name, entry] of Object.entries(METRICS)) {
    const lines: string[] = [];
    for (const { process, samples } of all) {
      for (const sample of samples) {
        if (sample.name !== name) continue;
        const labels = entry.labels.map((label, i): [string, string] => [label, sample.labels[i] ?? ""]);
        if (process !== null) labels.push(["process", process]);
        lines.push(...linesOf(name, labels, sample.value));
      }
    }
    if (lines.length > 0) {
      text += `# HELP ${name} ${entry.help.replaceAll("\\", "\\\\")}\n# TYPE ${name} ${entry.type}\n${lines.join("\n")}\n`;
    }
  }
  return text;
}

type Labels = readonly (readonly [string, string])[];

function linesOf(name: string, labels: Labels, value: Sample["value"]): string[] {
  if (typeof value === "number") return [`${name}${labelText(labels)} ${numberText(value)}`];
  const lines: string[] = [];
  let count = 0;
  for (const [i, inBucket] of value.counts.entries()) {
    count += inBucket;
    const bound = value.bounds[i];
    const le = bound === undefined ? "+Inf" : numberText(bound);
    lines.push(`${name}_bucket${labelText([...labels, ["le", le]])} ${count}`);
  }
  lines.push(`${name}_sum${labelText(labels)} ${numberText(value.sum)}`);
  lines.push(`${name}_count${labelText(labels)} ${count}`);
  return lines;
}

function labelText(labels: Labels): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

function numberText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
