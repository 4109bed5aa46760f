// Breaks one promise at a time in a copy of the build: the proof has to go red, by the rule that stands for the promise.
// The same stories told to the real build are in the neighbouring files, where nothing may be found.
import { afterEach, describe, expect, test, vi } from "vitest";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import type { Rule } from "../support/crash/checker.ts";
import type { ChildNode } from "../support/crash/child-node.ts";
import { createMutant, type Mutant, MUTATIONS } from "../support/crash/mutant.ts";
import { CRASH_API_KEY, openScene, type Scene } from "../support/crash/scene.ts";
import { callApi } from "../support/node.ts";
import { startReceiver } from "../support/receivers/receiver.ts";
import {
  freezeUntilTakenOver,
  killOwingNode,
  jumpWhileBothSend,
  killWhileCommitWaits,
  ownerAndOther,
  QUICK_LEASE,
  redirectToCanary,
} from "../support/crash/stories.ts";

// Seconds on an idle machine; whole processes are started, and others may need the machine as well.
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.reverse()) await close();
  closing = [];
});

interface Stage {
  readonly scene: Scene;
  readonly database: TestDatabase;
  readonly mutant: Mutant;
  readonly node: ChildNode;
}

async function openStage(mutation: keyof typeof MUTATIONS, options: object = {}): Promise<Stage> {
  const mutant = createMutant(MUTATIONS[mutation]);
  closing.push(() => mutant.remove());
  const database = await createTestDatabase();
  closing.push(() => database.drop());
  const scene = await openScene(database.connection);
  closing.push(() => scene.close());
  const node = await scene.startNode({ dist: mutant.dist, ...options });
  await scene.subscribe(node);
  return { scene, database, mutant, node };
}

/** The rules that were found broken, each once. */
async function brokenRules(scene: Scene, limitMs: number): Promise<Set<Rule>> {
  return new Set((await scene.judge(limitMs, { isExpectedToFail: true })).violations.map(({ rule }) => rule));
}

describe("a build that breaks a promise is found out", () => {
  test("acknowledging before the commit loses events", async () => {
    const { scene, database, mutant, node } = await openStage("ackBeforeCommit");
    await killWhileCommitWaits(scene, node, database.connection);
    await scene.startNode({ dist: mutant.dist });
    expect(await brokenRules(scene, 2_000)).toContain("lost_event");
  });

  test("without the fence a node that was taken over still writes", async () => {
    const { scene, database, node } = await openStage("noFence", { lease: QUICK_LEASE, soleNode: false });
    await freezeUntilTakenOver(scene, node, database.connection);
    expect(await brokenRules(scene, 2_000)).toContain("stale_write");
  });

  test("acknowledging what the fence refused loses events", async () => {
    const { scene, database, node } = await openStage("ackWhatTheFenceRefused", {
      lease: QUICK_LEASE,
      soleNode: false,
    });
    await freezeUntilTakenOver(scene, node, database.connection);
    expect(await brokenRules(scene, 2_000)).toContain("lost_event");
  });

  test("JSON that was parsed and written again is not what was sent", async () => {
    const { scene } = await openStage("reserialisedJson");
    await scene.publisher.publish();
    expect(await brokenRules(scene, 5_000)).toContain("altered_bytes");
  });

  test("a redirect that is followed is heard where nobody subscribed", async () => {
    const { scene, node } = await openStage("followRedirects");
    await redirectToCanary(scene, node);
    expect(await brokenRules(scene, 5_000)).toContain("received_by_stranger");
  });

  test("a silence measured by the wall clock takes over a node that is well", async () => {
    const options = { lease: QUICK_LEASE, soleNode: false };
    const { scene, mutant, node } = await openStage("timeBasedLease", options);
    const other = await scene.startNode({ dist: mutant.dist, ...options });
    const [owner, watcher] = await ownerAndOther(scene, [node, other]);
    await jumpWhileBothSend(scene, [owner], watcher);
    expect(await brokenRules(scene, 5_000)).toContain("unexplained_duplicate");
  });

  test("ordered deliveries dispatched from memory overtake each other", async () => {
    const { node } = await openStage("orderedFromMemory");
    let presentCount = 0;
    let mostPresent = 0;
    const receiver = await startReceiver({
      answer: async (_request, index) => {
        presentCount += 1;
        mostPresent = Math.max(mostPresent, presentCount);
        // The first is answered when the second is there, which the real build would not send before.
        if (index === 0) await receiver.received(2);
        presentCount -= 1;
        return 200;
      },
    });
    closing.push(() => receiver.close());
    const call = (path: string, body: object) =>
      callApi(node.url, "POST", path, body, { authorization: `Bearer ${CRASH_API_KEY}` });
    await call("/v1/webhooks", { url: `${receiver.origin}/`, events: ["shift.closed"], orderingKey: true });
    for (const n of [0, 1]) await call("/v1/events", { event: "shift.closed", orderingKey: "k", data: { n } });
    await receiver.received(2);
    expect(mostPresent).toBe(2);
  });

  test("without a takeover a dead node's deliveries stay for ever", async () => {
    const { scene, mutant, node } = await openStage("noTakeover", { lease: QUICK_LEASE, soleNode: false });
    await killOwingNode(scene, node);
    await scene.startNode({ dist: mutant.dist, lease: QUICK_LEASE, soleNode: false });
    expect(await brokenRules(scene, QUICK_LEASE.silenceMs + 2_000)).toContain("left_over");
  });
});

test("a patch that does not fit the build is refused", () => {
  expect(() => createMutant({ file: "storage/fence.js", find: "no such text", replaceBy: "" })).toThrow(/fits 0 times/);
});
