// The figures of other processes: all that answer in time, each scrape its own.
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FiguresExchange } from "../../src/processes/figures-exchange.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const of = (name: string) => ({ process: name, samples: [] });

test("a scrape waits for all, keeps two scrapes apart, and does without one that does not answer within a second", async () => {
  const asked: number[] = [];
  const exchange = new FiguresExchange({ siblingCount: () => 2, ask: (id) => void asked.push(id) });
  const [first, second] = [exchange.gather(), exchange.gather()];
  exchange.heard(asked[1] as number, of("2"));
  exchange.heard(asked[0] as number, of("2"));
  exchange.heard(asked[0] as number, of("3"));
  expect(await first).toEqual([of("2"), of("3")]);
  vi.advanceTimersByTime(1_000);
  expect(await second).toEqual([of("2")]);
  // Too late: nobody waits for it any more.
  exchange.heard(asked[1] as number, of("3"));
});

test("alone, nobody is asked", async () => {
  const exchange = new FiguresExchange({ siblingCount: () => 0, ask: () => expect.unreachable() });
  expect(await exchange.gather()).toEqual([]);
});
