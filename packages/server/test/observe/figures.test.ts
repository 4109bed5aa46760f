// The text of a scrape, histograms, readiness and the settings' token: pure.
import { describe, expect, test } from "vitest";
import { Counters } from "../../src/observe/counters.ts";
import { renderFigures } from "../../src/observe/families.ts";
import { Histogram } from "../../src/observe/histogram.ts";
import { METRICS } from "../../src/observe/metric-table.ts";
import { readinessOf } from "../../src/observe/readiness.ts";
import { COUNTED_OUTCOMES } from "../../src/storage/rollup-columns.ts";

describe("a histogram", () => {
  test("counts a value in the first bucket whose bound it does not exceed", () => {
    const histogram = new Histogram([1, 5]);
    for (const value of [0, 1, 1.01, 5, 6]) histogram.add(value);
    expect(histogram.value).toEqual({ bounds: [1, 5], counts: [2, 2, 1], sum: 13.01 });
  });
});

describe("the text of a scrape", () => {
  test("stands by metric, cumulates buckets, names processes and escapes what labels hold", () => {
    const histogram = new Histogram([1, 5]);
    for (const value of [1, 2, 9]) histogram.add(value);
    const text = renderFigures([
      { process: null, samples: [{ name: "posthorn_nodes", labels: [], value: 2 }] },
      {
        process: "1",
        samples: [
          { name: "posthorn_batch_rows", labels: ["capture"], value: histogram.value },
          { name: "posthorn_build_info", labels: ['a"b\\c\nd'], value: 1 },
        ],
      },
      { process: "2", samples: [{ name: "posthorn_build_info", labels: ["x"], value: 1 }] },
    ]);
    expect(text.split("\n").filter((line) => !line.startsWith("# HELP"))).toEqual([
      "# TYPE posthorn_build_info gauge",
      'posthorn_build_info{version="a\\"b\\\\c\\nd",process="1"} 1',
      'posthorn_build_info{version="x",process="2"} 1',
      "# TYPE posthorn_batch_rows histogram",
      'posthorn_batch_rows_bucket{batch="capture",process="1",le="1"} 1',
      'posthorn_batch_rows_bucket{batch="capture",process="1",le="5"} 2',
      'posthorn_batch_rows_bucket{batch="capture",process="1",le="+Inf"} 3',
      'posthorn_batch_rows_sum{batch="capture",process="1"} 12',
      'posthorn_batch_rows_count{batch="capture",process="1"} 3',
      "# TYPE posthorn_nodes gauge",
      "posthorn_nodes 2",
      "",
    ]);
  });

  test("has a series for every outcome and end from the start, so that the first one is seen as an increase", () => {
    const samples = new Counters(COUNTED_OUTCOMES).samples();
    const of = (name: string) => samples.filter((each) => each.name === name);
    expect(of("posthorn_attempts_total").map((each) => [each.labels[0], each.value])).toEqual(
      COUNTED_OUTCOMES.map((outcome) => [outcome, 0]),
    );
    expect(of("posthorn_deliveries_ended_total")).toHaveLength(3);
  });

  test("no label can hold an id: the names of labels are a short closed list", () => {
    const labels = new Set(Object.values(METRICS).flatMap((entry) => [...entry.labels]));
    expect([...labels].sort()).toEqual(
      [
        "batch",
        "channel",
        "end",
        "job",
        "kind",
        "lanes",
        "outcome",
        "pool",
        "quantile",
        "result",
        "state",
        "version",
      ].sort(),
    );
  });
});

describe("readiness", () => {
  const well = {
    stage: "open",
    configurationAgeMs: 300,
    isConfigurationFresh: true,
    leaseLeftMs: 7_000,
    databaseProblem: null,
  } as const;

  test("is there when the node is open, its configuration confirmed and its lease held", () => {
    expect(readinessOf(well)).toEqual({ isReady: true, problems: [] });
  });

  test("says every part that is missing, and why the database was not reached", () => {
    const away = readinessOf({
      ...well,
      configurationAgeMs: 12_340,
      isConfigurationFresh: false,
      leaseLeftMs: 0,
      databaseProblem: "ECONNREFUSED",
    });
    expect(away.isReady).toBe(false);
    expect(away.problems.map((each) => each.part)).toEqual(["configuration", "lease"]);
    expect(away.problems[0]?.message).toContain("for 12.3 s. Last error: ECONNREFUSED.");
    const never = readinessOf({ ...well, configurationAgeMs: Number.POSITIVE_INFINITY, isConfigurationFresh: false });
    expect(never.problems[0]?.message).toContain("was never reached");
    expect(readinessOf({ ...well, stage: "stopping" }).problems[0]?.part).toBe("shutdown");
    expect(readinessOf({ ...well, stage: "starting" }).problems[0]?.part).toBe("start");
  });
});
