// One crash run: a database, receivers, senders, nodes to be killed, and the ledger that judges them at the end.
// Must leave nothing behind, and must show the ledger's path when it finds a violation.
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { uuidFromId } from "@posthorn/contract";
import { check, type Verdict } from "./checker.ts";
import { type ChildNode, type ChildNodeOptions, startChildNode } from "./child-node.ts";
import { countWaiting, readFinalState } from "./final-state.ts";
import { type Hearers, startHearers } from "./hearers.ts";
import { type Ledger, openLedger } from "./ledger.ts";
import { copyWebhook } from "./many-webhooks.ts";
import { createPublisher, type Publisher } from "./publisher.ts";

export const CRASH_API_KEY = "crash-administrator-key-0001";

/** What a PostgreSQL connection is described by here. */
export interface SceneConnection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

export interface Scene {
  readonly ledger: Ledger;
  readonly hearers: Hearers;
  readonly publisher: Publisher;
  /** Straight to the database, past every proxy. */
  readonly pool: pg.Pool;
  /** Base64, as the nodes have it. */
  readonly masterKey: string;
  /** Starts a node; the senders knock at the one started last. */
  startNode(options?: Partial<ChildNodeOptions>): Promise<ChildNode>;
  /** SIGKILL, as a fault in the ledger. */
  kill(node: ChildNode): Promise<void>;
  /** Makes the webhooks of the scene; once, as soon as a node is up. */
  subscribe(node: ChildNode, retryPolicy?: object): Promise<void>;
  /**
   * Makes so many further webhooks that hear every invoice; from now on each event fans out to all of them. The node
   * knows them when this resolves.
   */
  subscribeFan(node: ChildNode, count: number): Promise<void>;
  /** Waits until nothing is left to deliver (or for `limitMs`), then judges everything so far. */
  judge(limitMs?: number, options?: { readonly isExpectedToFail: boolean }): Promise<Verdict>;
  close(): Promise<void>;
}

/**
 * The webhooks of every scene. `all` hears every invoice, `large` only those above 100, `payments` never anything that
 * is published here.
 */
const WEBHOOKS = [
  { name: "all", events: ["invoice.*"] },
  { name: "large", events: ["invoice.paid"], filters: ["invoice.total > 100"] },
  { name: "payments", events: ["payment.*"] },
] as const;

const RETRY_AT_ONCE = { maxRetries: 100, retryDelay: 0.1, backoffMultiplier: 1 };
const LOOK_EVERY_MS = 40;

/** `npm run chaos -- --faults` adds up what the scenes of all tests were judged by; the last line of a scene counts. */
async function reportForTable(scene: string, { counts, violations }: Verdict): Promise<void> {
  const path = process.env["POSTHORN_FAULT_REPORT"];
  if (path === undefined) return;
  const { expect } = await import("vitest");
  const { testPath: file, currentTestName: test } = expect.getState();
  const unexplained = violations.filter(({ rule }) => rule === "unexplained_duplicate").length;
  appendFileSync(path, `${JSON.stringify({ scene, file, test, ...counts, unexplained })}\n`);
}

/** @param connection of an empty or migrated database that belongs to this scene */
export async function openScene(connection: SceneConnection): Promise<Scene> {
  const folder = mkdtempSync(join(tmpdir(), "posthorn-crash-"));
  const ledger = openLedger(join(folder, "ledger.jsonl"));
  const secrets = new Map<string, string>();
  const hearers = await startHearers(ledger, (name) => secrets.get(name));
  const fan: string[] = [];
  const masterKey = randomBytes(32).toString("base64");
  const pool = new pg.Pool({ ...connection, max: 3 });
  pool.on("error", () => {});
  const nodes: ChildNode[] = [];
  const names = new Map<string, string>();
  let isClean = true;
  const publisher = createPublisher({
    ledger,
    apiKey: CRASH_API_KEY,
    url: () => nodes.findLast((node) => !node.isGone)?.url,
    expected: (total) => (total > 100 ? ["all", "large", ...fan] : ["all", ...fan]),
  });
  const subscribe = async (node: ChildNode, { name, ...fields }: { name: string; [field: string]: unknown }) => {
    const secret = randomBytes(24).toString("hex");
    secrets.set(name, secret);
    const response = await fetch(`${node.url}/v1/webhooks/subscribe`, {
      method: "POST",
      headers: { authorization: `Bearer ${CRASH_API_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ url: `${hearers.origin}/${name}`, secret, retryPolicy: RETRY_AT_ONCE, ...fields }),
    });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`${response.status} ${text}`);
    names.set(uuidFromId("webhook", JSON.parse(text).data.id), name);
  };

  return {
    ledger,
    hearers,
    publisher,
    pool,
    masterKey,
    async startNode(options = {}) {
      const node = await startChildNode({ connection, apiKey: CRASH_API_KEY, masterKey, ...options });
      nodes.push(node);
      return node;
    },
    async kill(node) {
      const over = ledger.beginFault("node_killed");
      await node.kill();
      over();
    },
    async subscribe(node, retryPolicy = RETRY_AT_ONCE) {
      for (const webhook of WEBHOOKS) await subscribe(node, { ...webhook, retryPolicy });
    },
    async subscribeFan(node, count) {
      const copies = Array.from({ length: count }, (_, index) => {
        const name = `fan-${fan.length + index}`;
        return { name, url: `${hearers.origin}/${name}`, secret: randomBytes(24).toString("hex") };
      });
      for (const { name, secret } of copies) {
        fan.push(name);
        secrets.set(name, secret);
      }
      const model = [...names].find(([, name]) => name === "all")?.[0] as string;
      const made = await copyWebhook(pool, masterKey, model, copies);
      for (const [index, { uuid }] of made.entries()) names.set(uuid, copies[index]?.name as string);
      // Whoever takes a change has read all that came before it.
      await subscribe(node, { name: `after-${fan.length}`, events: ["payment.*"] });
    },
    async judge(limitMs = 10_000, { isExpectedToFail } = { isExpectedToFail: false }) {
      const endMs = performance.now() + limitMs;
      for (;;) {
        const { deliveries, fanOuts } = await countWaiting(pool);
        if (deliveries + fanOuts === 0 || performance.now() > endMs) break;
        await delay(LOOK_EVERY_MS);
      }
      const final = await readFinalState(pool, (uuid) => names.get(uuid) ?? uuid);
      const verdict = check(ledger.entries, final);
      isClean &&= isExpectedToFail || verdict.violations.length === 0;
      if (!isExpectedToFail) await reportForTable(folder, verdict);
      return verdict;
    },
    async close() {
      await Promise.all(nodes.map((node) => node.kill()));
      await hearers.close();
      await pool.end();
      ledger.close();
      if (isClean) rmSync(folder, { recursive: true, force: true });
      else console.error(`the ledger of this run: ${ledger.path}`);
    },
  };
}
