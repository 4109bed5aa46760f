// /metrics as a parser reads it that nobody here wrote, on a node that captured and delivered; and who may read it.
import { readFileSync } from "node:fs";
// @ts-expect-error it comes without types
import parsePrometheus from "parse-prometheus-text-format";
import { afterAll, beforeAll, expect, test } from "vitest";
import { METRICS } from "../../server/src/observe/metric-table.ts";
import { startTestNode, TEST_API_KEY, type TestNode } from "../../server/test/support/node.ts";
import { startReceiver } from "../../server/test/support/receivers/receiver.ts";
import { until } from "../../server/test/support/until.ts";

interface ParsedFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly metrics: readonly {
    readonly labels?: Record<string, string>;
    readonly value?: string;
    readonly buckets?: Record<string, string>;
  }[];
}

const parse = parsePrometheus as unknown as (text: string) => ParsedFamily[];
const TOKEN = "only-for-the-scraper-0001";
let node: TestNode;

beforeAll(async () => {
  node = await startTestNode({ metricsToken: TOKEN });
});
afterAll(() => node.stop());

const scrape = (token: string | null): Promise<Response> =>
  fetch(`${node.node.url}/metrics`, { headers: token === null ? {} : { authorization: `Bearer ${token}` } });

interface Scraped {
  readonly text: string;
  readonly families: ReadonlyMap<string, ParsedFamily>;
}

async function scraped(): Promise<Scraped> {
  const response = await scrape(TOKEN);
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  return { text, families: new Map(parse(text).map((family) => [family.name, family])) };
}

function valueOf({ families }: Scraped, name: string, labels: Record<string, string> = {}): number {
  const found = families
    .get(name)
    ?.metrics.find((each) => Object.entries(labels).every(([label, value]) => each.labels?.[label] === value));
  return Number(found?.value);
}

/** The parser forgets the labels of histograms, so their sums and counts are read from the lines. */
const lineOf = ({ text }: Scraped, series: string): number =>
  Number(
    text
      .split("\n")
      .find((line) => line.startsWith(`${series} `))
      ?.slice(series.length),
  );

test("/metrics is closed without the token or a key of an operator", async () => {
  expect((await scrape(null)).status).toBe(401);
  expect((await scrape("only-for-the-scraper-0002")).status).toBe(401);
  // An administrator of a tenant is none of the installation; the first administrator is both.
  const made = await node.api("POST", "/v1/api-keys", { name: "tenant", scopes: ["admin"] });
  expect((await scrape(made.body.data.key)).status).toBe(403);
  expect((await scrape(TEST_API_KEY)).status).toBe(200);
  expect((await scrape(TOKEN)).status).toBe(200);
});

test("a parser that is not ours reads every metric of the table, and the figures are right", async () => {
  const receiver = await startReceiver();
  try {
    await node.api("POST", "/v1/webhooks/subscribe", { url: `${receiver.origin}/ok`, events: ["invoice.paid"] });
    for (let i = 0; i < 3; i += 1) await node.api("POST", "/v1/events", { event: "invoice.paid", data: { total: i } });
    await node.api("POST", "/v1/events", { event: "sale.completed", data: 1 });
    const all = await until("three deliveries to be recorded", async () => {
      const seen = await scraped();
      return valueOf(seen, "posthorn_deliveries_ended_total", { end: "delivered" }) === 3 ? seen : null;
    });
    const ofOthers = ["posthorn_upkeep_runs_total", "posthorn_spans_total"];
    const { families } = all;
    expect([...families.keys()].sort()).toEqual(
      Object.keys(METRICS)
        .filter((name) => families.has(name) || !ofOthers.includes(name))
        .sort(),
    );
    for (const [name, entry] of Object.entries(METRICS)) {
      if (families.has(name)) expect([name, families.get(name)?.type]).toEqual([name, entry.type.toUpperCase()]);
    }
    expect(valueOf(all, "posthorn_events_captured_total", { process: "1" })).toBe(4);
    expect(valueOf(all, "posthorn_attempts_total", { outcome: "delivered", process: "1" })).toBe(3);
    expect(valueOf(all, "posthorn_attempts_total", { outcome: "timed_out" })).toBe(0);
    expect(lineOf(all, 'posthorn_attempt_duration_seconds_count{process="1"}')).toBe(3);
    expect(families.get("posthorn_attempt_duration_seconds")?.metrics[0]?.buckets?.["+Inf"]).toBe("3");
    expect(valueOf(all, "posthorn_lanes_owned")).toBe(256);
    expect(valueOf(all, "posthorn_ready")).toBe(1);
    expect(valueOf(all, "posthorn_nodes")).toBe(1);
    expect(valueOf(all, "posthorn_partition_days_ahead")).toBe(7);
    expect(lineOf(all, 'posthorn_batch_rows_sum{batch="capture",process="1"}')).toBe(4);
  } finally {
    await receiver.close();
  }
});

test("the page on monitoring names every metric of the table and none that is not in it", () => {
  const page = readFileSync(new URL("../../../docs/operations/monitoring.md", import.meta.url), "utf8");
  const rows = new Map([...page.matchAll(/^\| `(posthorn_\w+)`(.*)$/gm)].map((match) => [match[1], match[2] ?? ""]));
  expect([...rows.keys()].sort()).toEqual(Object.keys(METRICS).sort());
  for (const [name, entry] of Object.entries(METRICS)) {
    for (const label of entry.labels) expect(`${name}: ${rows.get(name)}`).toContain(`\`${label}\``);
  }
});
