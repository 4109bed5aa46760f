// Stories of things going wrong, told to the real build and to the mutants alike: what is done must be the same each
// time, whatever the node under test makes of it. What it made of it, the checker says.
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { ChildNode } from "./child-node.ts";
import type { Scene, SceneConnection } from "./scene.ts";

/** Short enough for a test; the proportions are those of production (2, 8 and 10 s). */
export const QUICK_LEASE = { beatIntervalMs: 200, leaseMs: 2_000, silenceMs: 2_500 } as const;

const TAKEOVER_LIMIT_MS = 15_000;
/** Longer than a sender is kept waiting (1 s), shorter than a beat may take (2 s). */
const HELD_OUT_MS = 1_500;

/**
 * Freezes `frozen` while a receiver still owes it an answer and senders wait at its door (with keys and without, in one
 * batch), lets another node take over and deliver, answers, and lets it go on; for a moment it cannot join again, so that
 * what it does under its old name is seen.
 */
export async function freezeUntilTakenOver(
  scene: Scene,
  frozen: ChildNode,
  connection: SceneConnection,
): Promise<void> {
  const { ledger, hearers, publisher } = scene;
  let answer = (): void => {};
  const asked = new Promise<void>((resolve) => {
    let isFirst = true;
    hearers.onRequest(async () => {
      if (!isFirst) return 200;
      isFirst = false;
      resolve();
      await new Promise<void>((wake) => (answer = wake));
      return 200;
    });
  });
  await publisher.publish({ url: frozen.url });
  await asked;
  const over = ledger.beginFault("node_paused");
  frozen.pause();
  const heir = await scene.startNode({ lease: QUICK_LEASE, soleNode: false });
  await isDeclaredDead(scene, frozen);
  // The kernel takes these in; the node finds them when it wakes up. Only now: a sender without a key that
  // gives up while the heir is starting, on a machine that is too busy, would not come again.
  const waiting = Promise.all([
    publisher.publish({ url: frozen.url }),
    publisher.publish({ url: frozen.url, withKey: false }),
    publisher.publish({ url: frozen.url }),
    publisher.publish({ url: frozen.url, withKey: false }),
  ]);
  ledger.append({ kind: "taken_over", node: frozen.id });
  // The heir has brought it: the frozen node's result comes too late.
  const endMs = performance.now() + TAKEOVER_LIMIT_MS;
  while (ledger.entries.filter(({ kind }) => kind === "received").length < 1 && performance.now() < endMs) {
    await delay(20);
  }
  answer();
  await delay(150);
  const letRejoin = await holdNodeRow(connection, frozen);
  frozen.proceed();
  await delay(HELD_OUT_MS);
  await letRejoin();
  await waiting;
  over();
  if (heir.isGone) throw new Error(`the heir ended:\n${heir.log()}`);
}

/** Lets everybody read the node's row, as the fence does, and nobody change it, as joining again does. */
async function holdNodeRow(connection: SceneConnection, node: ChildNode): Promise<() => Promise<void>> {
  const blocker = await connectBlocker(connection);
  await blocker.query("begin");
  await blocker.query("select from node where process_id = $1 for no key update", [node.pid]);
  return () => blocker.end();
}

/** A connection that holds locks until it ends. */
export async function connectBlocker(connection: SceneConnection): Promise<pg.Client> {
  const blocker = new pg.Client({ ...connection, application_name: "crash blocker" });
  blocker.on("error", () => {});
  await blocker.connect();
  return blocker;
}

async function isDeclaredDead(scene: Scene, node: ChildNode): Promise<void> {
  const endMs = performance.now() + TAKEOVER_LIMIT_MS;
  for (;;) {
    const { rows } = await scene.pool.query<{ alive: boolean }>("select alive from node where process_id = $1", [
      node.pid,
    ]);
    if (rows.some(({ alive }) => !alive)) return;
    if (performance.now() > endMs) throw new Error("nobody took over");
    await delay(20);
  }
}

/**
 * Kills a node whose commit waits for a lock, and its backend with it: the events were never stored, so nobody may have
 * been told that they were. The caller starts the next node.
 */
export async function killWhileCommitWaits(scene: Scene, node: ChildNode, connection: SceneConnection): Promise<void> {
  const blocker = await connectBlocker(connection);
  await blocker.query("begin; lock table delivery in exclusive mode");
  const published = Promise.all(
    Array.from({ length: 3 }, () => scene.publisher.publish({ url: node.url, withKey: false, once: true })),
  );
  await isWaitingForLock(scene);
  // Time for an answer that should not come.
  await delay(100);
  await scene.kill(node);
  await scene.pool.query(
    `select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and application_name like 'posthorn %'`,
  );
  await published;
  await blocker.end();
}

async function isWaitingForLock(scene: Scene): Promise<void> {
  for (;;) {
    const { rowCount } = await scene.pool.query(
      `select from pg_stat_activity
where datname = current_database() and application_name = 'posthorn capture' and wait_event_type = 'Lock'`,
    );
    if (rowCount !== 0) return;
    await delay(10);
  }
}

/** The receiver sends its first request elsewhere, where nobody subscribed. */
export async function redirectToCanary(scene: Scene, node: ChildNode): Promise<void> {
  let isFirst = true;
  scene.hearers.onRequest(({ webhook }) => {
    if (!isFirst || webhook === "canary") return 200;
    isFirst = false;
    return { redirectTo: `${scene.hearers.origin}/canary` };
  });
  await scene.publisher.publish({ url: node.url });
}

const TWO_DAYS_MS = 2 * 86_400_000;

/**
 * The clock of `jumping` is set two days ahead while receivers owe answers to both nodes, and then back again. Two beats
 * go by each time. Nobody may be taken over, and nothing repeated.
 */
export async function jumpWhileBothSend(scene: Scene, nodes: readonly ChildNode[], jumping: ChildNode): Promise<void> {
  const { hearers, publisher } = scene;
  let answer = (): void => {};
  const answered = new Promise<void>((resolve) => (answer = resolve));
  hearers.onRequest(async () => {
    await answered;
    return 200;
  });
  await Promise.all(nodes.flatMap((node) => Array.from({ length: 4 }, () => publisher.publish({ url: node.url }))));
  for (const offByMs of [TWO_DAYS_MS, -TWO_DAYS_MS, 0]) {
    jumping.setWallClockOff(offByMs);
    await beatsGoBy(scene);
  }
  answer();
  hearers.onRequest(() => 200);
}

/** Every node that counts as alive has raised its beat three times. */
export async function beatsGoBy(scene: Scene): Promise<void> {
  const read = async () =>
    (await scene.pool.query<{ id: string; beat: number }>("select id, beat::int from node where alive")).rows;
  const before = await read();
  const endMs = performance.now() + TAKEOVER_LIMIT_MS;
  for (;;) {
    const now = await read();
    const isBehind = ({ id, beat }: { id: string; beat: number }): boolean =>
      // A node that has joined again counts from 0.
      now.some((row) => row.id === id && row.beat >= beat && row.beat < beat + 3);
    if (!before.some(isBehind)) return;
    if (performance.now() > endMs) throw new Error("the beats do not go on");
    await delay(50);
  }
}

/** Of two nodes that share the lanes, the one that sends to the webhook `all`, and the other one. */
export async function ownerAndOther(
  scene: Scene,
  nodes: readonly [ChildNode, ChildNode],
): Promise<[ChildNode, ChildNode]> {
  const endMs = performance.now() + TAKEOVER_LIMIT_MS;
  for (;;) {
    const { rows } = await scene.pool.query<{ owner: number; n: number }>(
      `select n.process_id as owner, (select count(distinct node_id)::int4 from lane where node_id is not null) as n
from webhook w join lane l on l.id = w.lane join node n on n.id = l.node_id where w.configuration->>'url' like '%/all'`,
    );
    if (rows[0]?.n === 2) return rows[0].owner === nodes[0].pid ? [nodes[0], nodes[1]] : [nodes[1], nodes[0]];
    if (performance.now() > endMs) throw new Error("the lanes are not shared");
    await delay(20);
  }
}

/** Kills a node that still owes deliveries; the other one has only its silence to go by. */
export async function killOwingNode(scene: Scene, node: ChildNode): Promise<void> {
  scene.hearers.onRequest(() => "hang");
  await Promise.all(Array.from({ length: 3 }, () => scene.publisher.publish({ url: node.url })));
  scene.hearers.onRequest(() => 200);
  await scene.kill(node);
}
