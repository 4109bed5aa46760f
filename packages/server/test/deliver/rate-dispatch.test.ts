// The rate limit in its place: Dispatch with an injected clock, so that minutes pass in milliseconds. The sender is the
// function that Dispatch asks for; everything else is real.
// Broken on purpose: without the timer nothing goes out after the first; asked before the slot, requests are lost count of.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Dispatch, type DispatchOptions } from "../../src/deliver/dispatch.ts";
import { DeliveryMemory, WebhookQueue } from "../../src/deliver/queue.ts";
import { Rates } from "../../src/deliver/rate.ts";
import { Bodies } from "../../src/deliver/render.ts";
import type { DeliveryReport } from "../../src/deliver/report.ts";
import { NO_DEFINITIONS } from "../../src/expressions/definitions.ts";
import { DatabaseClock } from "../../src/lib/clock.ts";
import { addReady, mostInAnyWindow, nothingGathered, openPlainSecret, respondedWith, webhookWith } from "./support.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance", "Date"] });
});
afterEach(() => {
  vi.useRealTimers();
});

interface Simulation {
  readonly dispatch: Dispatch;
  readonly memory: DeliveryMemory;
  /** When each request left, by URL. */
  readonly sentAtMs: (url: string) => number[];
  readonly reports: DeliveryReport[];
}

const silent = { debug() {}, info() {}, warn() {}, error() {} };

function simulate(
  options: { statusOf?: (count: number) => number; latencyMs?: number; maxInFlight?: number } = {},
  onReport: (report: DeliveryReport) => void = () => {},
): Simulation {
  const clock = new DatabaseClock();
  const memory = new DeliveryMemory();
  const sent: { url: string; atMs: number }[] = [];
  const reports: DeliveryReport[] = [];
  const dispatchOptions: DispatchOptions = {
    clock,
    log: silent as unknown as DispatchOptions["log"],
    memory,
    rates: new Rates({
      monotonicMs: () => clock.monotonicMs(),
      tenureOf: () => ({ monotonicMs: -1e9, atMs: 0, isUnclean: false }),
    }),
    sender: {
      send: async ({ url }: { url: string }) => {
        sent.push({ url, atMs: clock.monotonicMs() });
        const count = sent.length;
        await new Promise((resolve) => setTimeout(resolve, options.latencyMs ?? 20));
        return respondedWith(options.statusOf?.(count) ?? 200);
      },
    },
    openSecret: openPlainSecret,
    sealLarge: () => Promise.reject(new Error("nothing large here")),
    bodies: new Bodies({
      namesOf: () => ({ name: "invoice", aliases: [], fieldAliases: {} }),
      tagsOf: () => ({ paths: [], names: [], context: [] }),
      definitionsOf: () => NO_DEFINITIONS,
      renderLarge: () => Promise.reject(new Error("nothing large here")),
      renderLargeBatch: () => Promise.reject(new Error("nothing large here")),
    }),
    gathering: nothingGathered(memory, clock),
    record: async (recorded) => {
      reports.push(...recorded);
      for (const report of recorded) onReport(report);
      return true;
    },
    endpoints: {
      room: () => Number.POSITIVE_INFINITY,
      restUntilMs: () => 0,
      standing: () => "proven",
      ended: () => {},
    },
    isOperational: () => false,
    mayStart: () => true,
    onSwitch: () => {},
    orderWaitMs: () => 0,
    onRoom: () => {},
    ...(options.maxInFlight === undefined ? {} : { maxInFlight: options.maxInFlight }),
  };
  const dispatch = new Dispatch(dispatchOptions);
  return {
    dispatch,
    memory,
    reports,
    sentAtMs: (url) => sent.filter((each) => each.url === url).map((each) => each.atMs),
  };
}

const LIMITED = "https://limited.example/";
const FREE = "https://free.example/";
const hundredAMinute = { limit: 100, per: "minute", burst: 0 };
const queueOf = (url: string, fields: Record<string, unknown>, number: number): WebhookQueue =>
  new WebhookQueue(webhookWith({ number, configuration: { url, ...fields } }));

describe("a webhook with a limit of 100 requests a minute", () => {
  test("gets at most 100 requests in any 60 s, retries included, and everything in the end", async () => {
    const queue = queueOf(
      LIMITED,
      { rateLimit: hundredAMinute, retryPolicy: { maxRetries: 3, retryDelay: 7, backoffMultiplier: 2 } },
      2,
    );
    let number = 10_000;
    const simulation = simulate({ statusOf: (count) => (count % 3 === 0 ? 500 : 200) }, ({ verdict }) => {
      if (verdict.kind !== "retry") return;
      // What the table does: the delivery comes back when it is due.
      setTimeout(() => {
        addReady(simulation.memory, queue, (number += 1));
        simulation.dispatch.pump(queue);
      }, verdict.nextAttemptAtMs - Date.now());
    });
    for (let n = 0; n < 200; n += 1) addReady(simulation.memory, queue, n);
    simulation.dispatch.pump(queue);
    await vi.advanceTimersByTimeAsync(400_000);
    const sent = simulation.sentAtMs(LIMITED);
    expect(simulation.reports.filter(({ verdict }) => verdict.kind === "delivered")).toHaveLength(200);
    expect(sent.length).toBeGreaterThan(290);
    expect(mostInAnyWindow(sent, 60_000)).toBe(100);
    expect(sent[100]).toBeLessThan(60_000 + sent[0]! + 1_000);
    expect(simulation.memory.entryCount).toBe(0);
  });

  test("waits with one timer however often it is asked, and stops with the node", async () => {
    const simulation = simulate();
    const queue = queueOf(LIMITED, { rateLimit: hundredAMinute }, 2);
    for (let n = 0; n < 50; n += 1) {
      addReady(simulation.memory, queue, n);
      simulation.dispatch.pump(queue);
    }
    await vi.advanceTimersByTimeAsync(100);
    expect(simulation.sentAtMs(LIMITED)).toHaveLength(1);
    for (let n = 0; n < 1_000; n += 1) simulation.dispatch.pump(queue);
    expect(vi.getTimerCount()).toBe(1);
    simulation.dispatch.stop();
    expect(vi.getTimerCount()).toBe(0);
  });

  test("goes on at once by another limit, and freely without one", async () => {
    const simulation = simulate();
    const queue = queueOf(LIMITED, { rateLimit: { limit: 1, per: "hour", burst: 0 } }, 2);
    for (let n = 0; n < 30; n += 1) addReady(simulation.memory, queue, n);
    simulation.dispatch.pump(queue);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(simulation.sentAtMs(LIMITED)).toHaveLength(1);
    queue.webhook = webhookWith({
      version: 2,
      configuration: { url: LIMITED, rateLimit: { limit: 10, per: "second", burst: 0 } },
    });
    simulation.dispatch.pump(queue);
    await vi.advanceTimersByTimeAsync(1_000);
    const bySecond = simulation.sentAtMs(LIMITED).length;
    expect(bySecond).toBeGreaterThan(8);
    expect(bySecond).toBeLessThanOrEqual(11);
    queue.webhook = webhookWith({ version: 3, configuration: { url: LIMITED } });
    simulation.dispatch.pump(queue);
    await vi.advanceTimersByTimeAsync(100);
    expect(simulation.sentAtMs(LIMITED)).toHaveLength(30);
  });
});

describe("its neighbours", () => {
  test("do not wait for it", async () => {
    const simulation = simulate();
    const limited = queueOf(LIMITED, { rateLimit: hundredAMinute }, 2);
    const free = queueOf(FREE, {}, 3);
    for (let n = 0; n < 100; n += 1) {
      addReady(simulation.memory, limited, n);
      addReady(simulation.memory, free, 1_000 + n);
    }
    simulation.dispatch.pump(limited);
    simulation.dispatch.pump(free);
    await vi.advanceTimersByTimeAsync(200);
    expect(simulation.sentAtMs(FREE)).toHaveLength(100);
    expect(simulation.sentAtMs(LIMITED)).toHaveLength(1);
  });

  test("get the node's last slots although it stands before them in the queue for slots", async () => {
    const simulation = simulate({ maxInFlight: 1, latencyMs: 50 });
    const limited = queueOf(LIMITED, { rateLimit: { limit: 1, per: "hour", burst: 0 } }, 2);
    const others = [3, 4, 5].map((number) => queueOf(`${FREE}${number}`, {}, number));
    for (const queue of [limited, ...others]) {
      addReady(simulation.memory, queue, 1);
      addReady(simulation.memory, queue, 2);
    }
    for (const queue of [limited, ...others]) simulation.dispatch.pump(queue);
    await vi.advanceTimersByTimeAsync(5_000);
    expect(others.map((queue) => simulation.sentAtMs(queue.webhook.url).length)).toEqual([2, 2, 2]);
    expect(simulation.sentAtMs(LIMITED)).toHaveLength(1);
  });
});

test("a paused webhook's deliveries leave memory", async () => {
  const simulation = simulate();
  const queue = queueOf(FREE, {}, 3);
  for (let n = 0; n < 100; n += 1) addReady(simulation.memory, queue, n);
  queue.webhook = webhookWith({ number: 3, status: "paused", configuration: { url: FREE } });
  simulation.dispatch.pump(queue);
  await vi.advanceTimersByTimeAsync(1_000);
  expect([simulation.memory.entryCount, simulation.memory.byteLength, queue.spilled]).toEqual([0, 0, true]);
  expect(simulation.sentAtMs(FREE)).toHaveLength(0);
});

test("Max Attempts 3 and Backoff Exponential: three requests in all, 5 s and 10 s after the one before ended", async () => {
  const queue = queueOf(FREE, { retryPolicy: { maxRetries: 2, retryDelay: 5, backoffMultiplier: 2 } }, 3);
  const latencyMs = 300;
  const simulation = simulate({ statusOf: () => 500, latencyMs }, ({ attempt, verdict }) => {
    if (verdict.kind !== "retry") return;
    setTimeout(() => {
      const entry = simulation.memory.add(queue, {
        ...addReady(new DeliveryMemory(), new WebhookQueue(queue.webhook), 1),
        attemptCount: attempt!.number,
        trigger: "retry",
      });
      queue.ready.push(entry);
      simulation.dispatch.pump(queue);
    }, verdict.nextAttemptAtMs - Date.now());
  });
  addReady(simulation.memory, queue, 1);
  simulation.dispatch.pump(queue);
  await vi.advanceTimersByTimeAsync(3_600_000);
  const [first, second, third, ...more] = simulation.sentAtMs(FREE) as [number, number, number];
  expect(second - (first + latencyMs)).toBeCloseTo(5_000, -1);
  expect(third - (second + latencyMs)).toBeCloseTo(10_000, -1);
  expect(more).toEqual([]);
  expect(simulation.reports.map(({ verdict }) => verdict.kind)).toEqual(["retry", "retry", "dead_letter"]);
});
