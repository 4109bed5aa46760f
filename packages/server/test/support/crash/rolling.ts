// A rolling restart that never ends: one node after the other is stopped and another started in its place, while senders
// that use the SDK publish through a balancer. No fault is entered in the ledger, so a single repeated request is a finding.
import { setTimeout as delay } from "node:timers/promises";
import { Posthorn } from "@posthorn/client";
import { startBalancer } from "./balancer.ts";
import type { Verdict } from "./checker.ts";
import type { ChildNode } from "./child-node.ts";
import { startOwnPostgres } from "./own-postgres.ts";
import { eventBytes } from "./publisher.ts";
import { CRASH_API_KEY, openScene, type Scene } from "./scene.ts";

export interface RollingOptions {
  readonly nodeCount: number;
  readonly senderCount: number;
  /** Ends after so long, and not before each node was replaced once. */
  readonly durationMs: number;
  /** Between one replacement and the next. */
  readonly pauseMs: number;
  readonly say?: (line: string) => void;
}

export interface RollingReport {
  readonly verdict: Verdict;
  readonly replacedCount: number;
  /** From SIGTERM to the end of the process, at most. */
  readonly longestStopMs: number;
  /** Exit codes other than 0. */
  readonly badExits: readonly (number | null)[];
  /** Calls of the SDK that failed after its own repeats. */
  readonly failedPublishes: readonly string[];
}

/** Leases as long as in production: a busy machine must not look like a node that is dead. */
const LEASE = { beatIntervalMs: 500, leaseMs: 8_000, silenceMs: 10_000 };
const SETTLE_LIMIT_MS = 60_000;
/** Receivers take some time, so that there is always something under way when a node is stopped. */
const LONGEST_ANSWER_MS = 300;

export async function runRolling(scene: Scene, options: RollingOptions): Promise<RollingReport> {
  const { hearers } = scene;
  const nodes: ChildNode[] = [];
  const start = () => scene.startNode({ soleNode: false, lease: LEASE });
  while (nodes.length < options.nodeCount) nodes.push(await start());
  hearers.onRequest(async ({ attempt, deliveryId }) => {
    await delay(((deliveryId.charCodeAt(deliveryId.length - 1) + attempt) / 128) * LONGEST_ANSWER_MS);
    return 200;
  });
  await scene.subscribe(nodes[0] as ChildNode);
  // Everybody has heard of the webhooks: two seconds at most (G15).
  await delay(2_500);
  const balancer = await startBalancer(() => nodes.map(({ url }) => url));
  const sending = keepSending(scene, balancer.url, options.senderCount);

  const endMs = performance.now() + options.durationMs;
  const badExits: (number | null)[] = [];
  let [replacedCount, longestStopMs] = [0, 0];
  while (performance.now() < endMs || replacedCount < options.nodeCount) {
    const newcomer = await start();
    const leaver = nodes.shift() as ChildNode;
    nodes.push(newcomer);
    const toldMs = performance.now();
    const code = await leaver.stop();
    const stopMs = performance.now() - toldMs;
    options.say?.(`replaced one; it took ${Math.round(stopMs)} ms to end`);
    replacedCount += 1;
    longestStopMs = Math.max(longestStopMs, stopMs);
    if (code !== 0) badExits.push(code);
    await delay(options.pauseMs);
  }
  const failedPublishes = await sending();
  const verdict = await scene.judge(SETTLE_LIMIT_MS);
  await balancer.close();
  return { verdict, replacedCount, longestStopMs, badExits, failedPublishes };
}

/** The long form, on a database of its own. */
export async function rollForMinutes(
  options: Omit<RollingOptions, "durationMs" | "pauseMs"> & { readonly minutes: number },
): Promise<RollingReport> {
  const postgres = await startOwnPostgres();
  const scene = await openScene(postgres.connection);
  try {
    return await runRolling(scene, { ...options, durationMs: options.minutes * 60_000, pauseMs: 3_000 });
  } finally {
    await scene.close();
    await postgres.stop();
  }
}

/** The returned function stops them and says what failed. */
function keepSending({ ledger, publisher }: Scene, url: string, senderCount: number): () => Promise<string[]> {
  const ending = new AbortController();
  const failed: string[] = [];
  const lines = Array.from({ length: senderCount }, async () => {
    const posthorn = new Posthorn({ url, apiKey: CRASH_API_KEY });
    while (!ending.signal.aborted) {
      const { operation, total } = publisher.nextOperation();
      const { body, tailHash } = eventBytes(operation, total);
      ledger.append({ kind: "invoked", operation, key: "by the SDK", tailHash, expected: publisher.expected(total) });
      try {
        const { id, replayed } = await posthorn.events.publishRaw(body);
        ledger.append({ kind: "acknowledged", operation, eventId: id, replayed });
      } catch (error) {
        failed.push((error as Error).message);
        ledger.append({ kind: "unknown", operation, why: (error as Error).message });
      }
    }
  });
  return async () => {
    ending.abort();
    await Promise.all(lines);
    return failed;
  };
}
