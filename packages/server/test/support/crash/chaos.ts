// Everything at once, for as long as is wanted: senders that never stop, two nodes and a database of their own, and
// a fault at every turn, drawn from a seed. The short form is a test, the long one is `npm run chaos`.
import { setTimeout as delay } from "node:timers/promises";
import type { Verdict } from "./checker.ts";
import type { ChildNode } from "./child-node.ts";
import { type OwnPostgres, startOwnPostgres } from "./own-postgres.ts";
import { openScene, type Scene } from "./scene.ts";
import { QUICK_LEASE } from "./stories.ts";

export interface ChaosOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Nodes side by side. */
  readonly nodeCount: number;
  /** Senders side by side, with a key; one more is without. */
  readonly senderCount: number;
  /** The share of requests that receivers answer with 500; their deliveries have six attempts then. */
  readonly failRate?: number;
  readonly say?: (line: string) => void;
}

export interface ChaosReport {
  readonly verdict: Verdict;
  readonly ledgerPath: string;
  /** From the last fault to the last delivery. */
  readonly settledMs: number;
  /** Nodes that ended although nobody killed them. */
  readonly endedByItself: number;
}

/** How often each is drawn. */
const FAULTS = [
  ["node_killed", 6],
  ["node_paused", 3],
  ["connections_terminated", 3],
  ["postgres_killed", 1],
  ["postgres_stopped", 1],
] as const;
type ChaosFault = (typeof FAULTS)[number][0];

const SIX_ATTEMPTS = { maxRetries: 5, retryDelay: 0.5, backoffMultiplier: 2 };
const SETTLE_LIMIT_MS = 60_000;
/** Of one storm; each counts as a fault of its own. */
const TERMINATE_ROUNDS = 5;

/** Runs it; the verdict says whether every promise was kept. Throws when something cannot be started. */
export async function runChaos(options: ChaosOptions): Promise<ChaosReport> {
  const postgres = await startOwnPostgres();
  const scene = await openScene(postgres.connection);
  try {
    return await new Chaos(options, postgres, scene).run();
  } finally {
    await scene.close();
    await postgres.stop();
  }
}

class Chaos {
  readonly #options: ChaosOptions;
  readonly #postgres: OwnPostgres;
  readonly #scene: Scene;
  readonly #random: () => number;
  #endedByItself = 0;
  /** One place for each node; undefined while another one is being started there. */
  readonly #nodes: (ChildNode | undefined)[] = [];
  readonly #restarts = new Set<Promise<void>>();

  constructor(options: ChaosOptions, postgres: OwnPostgres, scene: Scene) {
    this.#options = options;
    this.#postgres = postgres;
    this.#scene = scene;
    this.#random = mulberry32(options.seed);
  }

  async run(): Promise<ChaosReport> {
    const { durationMs, nodeCount, senderCount } = this.#options;
    const scene = this.#scene;
    while (this.#nodes.length < nodeCount) this.#nodes.push(await this.#startNode());
    const { failRate = 0 } = this.#options;
    if (failRate > 0) scene.hearers.onRequest(() => (this.#random() < failRate ? 500 : 200));
    await scene.subscribe(this.#nodes[0] as ChildNode, ...(failRate > 0 ? [SIX_ATTEMPTS] : []));
    const stopPublishing = [
      scene.publisher.keepPublishing(senderCount),
      scene.publisher.keepPublishing(1, { withKey: false }),
    ];
    const endMs = performance.now() + durationMs;
    while (performance.now() < endMs) {
      await delay(200 + this.#random() * 2_000);
      await this.#strike(this.#draw());
    }
    await Promise.all(this.#restarts);
    await Promise.all(stopPublishing.map((stop) => stop()));
    const quietMs = performance.now();
    const verdict = await scene.judge(SETTLE_LIMIT_MS);
    const settledMs = performance.now() - quietMs;
    return { verdict, ledgerPath: scene.ledger.path, settledMs, endedByItself: this.#endedByItself };
  }

  /** Tried again until the database lets it: a node that cannot start ends, and its operator starts it again. */
  async #startNode(): Promise<ChildNode> {
    for (;;) {
      try {
        const soleNode = this.#options.nodeCount === 1;
        return await this.#scene.startNode({ soleNode, ...(soleNode ? {} : { lease: QUICK_LEASE }) });
      } catch (error) {
        this.#options.say?.(`a node could not start: ${(error as Error).message.slice(0, 200)}`);
        await delay(200);
      }
    }
  }

  #draw(): ChaosFault {
    let left = this.#random() * FAULTS.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [fault, weight] of FAULTS) {
      left -= weight;
      if (left < 0) return fault;
    }
    return FAULTS[0][0];
  }

  /** Does it. Those faults whose consequences take long are left to end in the background. */
  async #strike(fault: ChaosFault): Promise<void> {
    const { ledger, pool } = this.#scene;
    this.#options.say?.(fault);
    const over = ledger.beginFault(fault);
    switch (fault) {
      case "node_killed": {
        const at = this.#anyPlace();
        const node = this.#nodes[at];
        // Another one is being started there: a second would run beside it, and on a slow machine a third.
        if (node === undefined) break;
        await node.kill();
        this.#restart(at, over);
        return;
      }
      case "node_paused": {
        const node = this.#nodes[this.#anyPlace()];
        node?.pause();
        await delay(100 + this.#random() * 4_000);
        node?.proceed();
        break;
      }
      case "connections_terminated":
        await pool.query(TERMINATE).catch(() => {});
        for (let round = 1; round < TERMINATE_ROUNDS; round += 1) {
          await delay(this.#random() * 200);
          const overAgain = ledger.beginFault(fault);
          await pool.query(TERMINATE).catch(() => {});
          overAgain();
        }
        break;
      case "postgres_killed":
      case "postgres_stopped": {
        const restarted = this.#postgres.restarted();
        if (fault === "postgres_killed") this.#postgres.kill();
        else this.#postgres.stopImmediately();
        await restarted;
        break;
      }
      default:
        fault satisfies never;
    }
    over();
    this.#replaceEnded();
  }

  #anyPlace(): number {
    return Math.floor(this.#random() * this.#nodes.length);
  }

  #restart(at: number, over: () => void): void {
    this.#nodes[at] = undefined;
    const restart = this.#startNode().then((node) => {
      this.#nodes[at] = node;
      this.#restarts.delete(restart);
      over();
    });
    this.#restarts.add(restart);
  }

  /** A node never ends by itself, whatever becomes of the database. */
  #replaceEnded(): void {
    for (const [at, node] of this.#nodes.entries()) {
      if (node?.isGone !== true) continue;
      this.#endedByItself += 1;
      this.#options.say?.(`a node ended by itself:\n${node.log()}`);
      this.#restart(at, this.#scene.ledger.beginFault("node_killed", "by itself"));
    }
  }
}

const TERMINATE = `select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and application_name like 'posthorn %'`;

/** A small generator with one number as its state: the same faults in the same order for the same seed. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x100000000;
  };
}
