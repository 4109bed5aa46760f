// What the process itself costs: memory, CPU time, how late its event loop is. Read when somebody scrapes.
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Sample } from "./families.ts";

/** A timer of its own wakes the loop this often; finer would cost an idle node more than everything else it does. */
const RESOLUTION_MS = 100;
const QUANTILES = [
  ["0.5", 50],
  ["0.99", 99],
] as const;

export interface ProcessFigures {
  samples(): Sample[];
  stop(): void;
}

export function watchProcess(): ProcessFigures {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  /** A timer that is on time comes after one resolution. */
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1_000);
  return {
    samples() {
      const memory = process.memoryUsage();
      const { user, system } = process.cpuUsage();
      const samples: Sample[] = [
        { name: "posthorn_memory_bytes", labels: ["resident"], value: memory.rss },
        { name: "posthorn_memory_bytes", labels: ["heap_used"], value: memory.heapUsed },
        { name: "posthorn_memory_bytes", labels: ["external"], value: memory.external },
        { name: "posthorn_cpu_seconds_total", labels: [], value: (user + system) / 1e6 },
        {
          name: "posthorn_event_loop_active_seconds_total",
          labels: [],
          value: performance.eventLoopUtilization().active / 1_000,
        },
      ];
      for (const [quantile, percentile] of QUANTILES) {
        samples.push({
          name: "posthorn_event_loop_delay_seconds",
          labels: [quantile],
          value: delay.count === 0 ? 0 : late(delay.percentile(percentile)),
        });
      }
      const worst = delay.count === 0 ? 0 : late(delay.max);
      samples.push({ name: "posthorn_event_loop_delay_seconds", labels: ["1"], value: worst });
      delay.reset();
      return samples;
    },
    stop: () => void delay.disable(),
  };
}
