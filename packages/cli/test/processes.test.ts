// `posthorn serve --processes 2` as it runs for a user: real processes on one port, killed, replaced and ended while a
// sender publishes with the SDK. One start for the whole file; nothing that it starts outlives it.
// To break on purpose (not tried yet): without the word of a process's end, its lanes wait ten seconds for its silence.
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { Posthorn } from "@posthorn/client";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { askDatabase, createTestDatabase, type TestDatabase } from "../../server/test/support/database.ts";
import { type Receiver, startReceiver } from "../../server/test/support/receivers/receiver.ts";
import { until } from "../../server/test/support/until.ts";
import { ensureBuilt } from "./support/command.ts";
import { endAll, type Running, start } from "./support/running.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 90_000 });

const WEBHOOKS = 6;
const apiKey = "test-administrator-key-0001";
let database: TestDatabase;
let server: Running;
let receiver: Receiver;
let posthorn: Posthorn;
let first: number;

beforeAll(async () => {
  ensureBuilt();
  database = await createTestDatabase();
  receiver = await startReceiver();
  server = start(["serve", "--processes", "2", "--port", "0", "--allow-targets", "127.0.0.1"], {
    DATABASE_URL: urlOf(database),
    POSTHORN_MASTER_KEY: randomBytes(32).toString("base64"),
    POSTHORN_BOOTSTRAP_API_KEY: apiKey,
  });
  const line = await server.line(/serves at http:\S+ in 2 processes/);
  posthorn = new Posthorn({ url: /http:\S+\d/.exec(line)?.[0] as string, apiKey });
  first = server.pid;
  // All but certainly some in the lanes of either process.
  for (let n = 0; n < WEBHOOKS; n += 1) {
    await posthorn.webhooks.create({ url: `${receiver.origin}/${n}`, events: ["invoice.paid"] });
  }
});
afterAll(async () => {
  await endAll();
  await receiver?.close();
  await database?.drop();
});

const urlOf = ({ connection: { user, password, host, port, database: name } }: TestDatabase): string =>
  `postgres://${user}:${password}@localhost:${port}/${name}?host=${encodeURIComponent(host)}`;

/** The processes that the first one started, oldest first. */
function nodeProcesses(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => parentOf(pid) === first)
    .sort((a, b) => a - b);
}

function parentOf(pid: number): number | null {
  try {
    return Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return null;
  }
}

async function lanesOf(): Promise<number[]> {
  const rows = await askDatabase<{ lanes: number }>(
    database.connection,
    "select count(*)::int as lanes from lane where node_id is not null group by node_id",
  );
  return rows.map(({ lanes }) => lanes);
}

/** With what the processes logged, when they are not. */
async function areShared(count: number): Promise<void> {
  let shares: number[] = [];
  const even = async () => {
    shares = await lanesOf();
    return shares.length === count && shares.every((lanes) => Math.abs(lanes - 256 / count) <= 1);
  };
  await until(`lanes shared by ${count}`, even, 40_000).catch((error: unknown) => {
    const log = [...server.out, ...server.err].slice(-30).join("\n");
    throw new Error(`the lanes are shared ${shares.join("/")} among ${nodeProcesses().length} processes:\n${log}`, {
      cause: error,
    });
  });
}

/** Publishes until it is told to stop; what an answer said yes to must arrive. */
function publishing(): { readonly stop: () => Promise<{ ids: string[]; failed: unknown[] }> } {
  const ids: string[] = [];
  const failed: unknown[] = [];
  const stopped = new AbortController();
  const lines = Array.from({ length: 2 }, async () => {
    while (!stopped.signal.aborted) {
      await posthorn.events.publish({ event: "invoice.paid", data: { object: {} } }).then(
        (event) => ids.push(event.id),
        (error: unknown) => failed.push(error),
      );
    }
  });
  return {
    stop: async () => {
      stopped.abort();
      await Promise.all(lines);
      return { ids, failed };
    },
  };
}

/** How often each webhook heard of these events. */
async function arrivals(ids: readonly string[]): Promise<{ missing: number; repeated: number }> {
  const wanted = new Set(ids);
  const count = () => {
    const times = new Map<string, number>();
    for (const { path, headers } of receiver.requests) {
      const id = headers["webhook-id"] as string;
      if (wanted.has(id)) times.set(path + id, (times.get(path + id) ?? 0) + 1);
    }
    return { missing: wanted.size * WEBHOOKS - times.size, repeated: [...times.values()].filter((n) => n > 1).length };
  };
  await until("everything to arrive", async () => count().missing === 0, 30_000).catch(() => {});
  return count();
}

test("two processes serve on one port, share the lanes, and deliver what either captures once", async () => {
  await areShared(2);
  expect(nodeProcesses()).toHaveLength(2);
  const load = publishing();
  await until("some events", async () => receiver.requests.length > 120);
  const { ids, failed } = await load.stop();
  expect(failed).toEqual([]);
  expect(await arrivals(ids)).toEqual({ missing: 0, repeated: 0 });
});

test("a scrape shows both processes, whichever of them it reaches, and no counter falls between two scrapes", async () => {
  const scrape = async (): Promise<Map<string, number>> => {
    // A connection for each scrape: they are handed to the processes in turn.
    const response = await fetch(`${posthorn.url}/metrics`, {
      headers: { authorization: `Bearer ${apiKey}`, connection: "close" },
    });
    const lines = (await response.text()).split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.split(" ").at(-1))]));
  };
  let before = new Map<string, number>();
  for (let n = 0; n < 6; n += 1) {
    await posthorn.events.publish({ event: "invoice.paid", data: { object: {} } });
    const now = await scrape();
    expect(["1", "2"].map((name) => now.get(`posthorn_lanes_owned{process="${name}"}`))).toEqual([128, 128]);
    expect(now.get("posthorn_nodes")).toBe(2);
    const fallen = [...before].filter(
      ([series, value]) => /_total|_count|_sum/.test(series) && (now.get(series) ?? 0) < value,
    );
    expect(fallen).toEqual([]);
    before = now;
  }
});

test("a process that is killed is replaced, and its lanes are taken over without waiting for its silence", async () => {
  const [killed] = nodeProcesses() as [number];
  const load = publishing();
  const before = receiver.requests.length;
  await until("load", async () => receiver.requests.length > before + 40);
  process.kill(killed, "SIGKILL");
  const killedAtMs = performance.now();
  await until("no lane of the killed one", async () => (await lanesOf()).join() === "256");
  // Half of a silence; it takes some 50 ms.
  expect(performance.now() - killedAtMs).toBeLessThan(5_000);
  await until("two processes", async () => nodeProcesses().length === 2 && !nodeProcesses().includes(killed));
  await areShared(2);
  const { ids } = await load.stop();
  // Repeats are allowed: what was between answer and record when it died.
  expect((await arrivals(ids)).missing).toBe(0);
});

test("processes replaced one by one under load: no publish fails, nothing is sent twice", async () => {
  await areShared(2);
  const load = publishing();
  for (const old of nodeProcesses()) {
    process.kill(old, "SIGTERM");
    await until("another in its place", async () => nodeProcesses().length === 2 && !nodeProcesses().includes(old));
    await areShared(2);
  }
  const { ids, failed } = await load.stop();
  expect(failed).toEqual([]);
  expect(ids.length).toBeGreaterThan(20);
  expect(await arrivals(ids)).toEqual({ missing: 0, repeated: 0 });
});

test("the signal that ends the first process ends all of them, in order", async () => {
  expect(await server.end("SIGTERM")).toBe(0);
  expect(nodeProcesses()).toEqual([]);
});
