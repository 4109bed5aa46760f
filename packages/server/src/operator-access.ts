// Access for commands beside a running server: with the embedded database a key in its data directory, from start to
// stop. With a database of one's own there is none, and what a restored copy brought along is ended.
import { randomFillSync } from "node:crypto";
import { IdGenerator } from "@posthorn/contract";
import { DatabaseClock } from "./lib/clock.ts";
import { removeOperatorKeyFile, writeOperatorKeyFile } from "./manage/operator-key-file.ts";
import { endOperatorKeys, issueOperatorKey, type OperatorKeyOptions } from "./manage/operator-key.ts";
import { type ConnectionConfig, openPools } from "./storage/pools.ts";

export interface OperatorAccessOptions {
  readonly connection: ConnectionConfig;
  readonly withRoles: boolean;
  /** Of the embedded database; undefined with DATABASE_URL. */
  readonly dataDir: string | undefined;
  /** Of the node that serves. */
  readonly node: { readonly url: string; readonly address: string };
}

/** Any form in which the machine calls itself. */
const LOOPBACK = ["127.0.0.0/8", "::1"];
const random = (target: Uint8Array): void => void randomFillSync(target);

/**
 * Opens the access; the file of a killed server is overwritten, its key ended.
 * @returns closes it again: the file goes first, so that nobody finds a key that is dead
 */
export async function openOperatorAccess(options: OperatorAccessOptions): Promise<() => Promise<void>> {
  const { dataDir, node } = options;
  if (dataDir === undefined) {
    await withEngine(options, endOperatorKeys);
    return async () => {};
  }
  const allowedIps = [...new Set([...LOOPBACK, node.address])].filter((ip) => !isAnyAddress(ip));
  const apiKey = await withEngine(options, (key) => issueOperatorKey(key, random, allowedIps));
  await writeOperatorKeyFile(dataDir, { url: localUrl(node), apiKey, processId: process.pid });
  return async () => {
    await removeOperatorKeyFile(dataDir);
    await withEngine(options, endOperatorKeys);
  };
}

/** A server that listens everywhere is reached by the loopback, at the same port. */
function localUrl(node: OperatorAccessOptions["node"]): string {
  if (!isAnyAddress(node.address)) return node.url;
  const url = new URL(node.url);
  url.hostname = node.address === "::" ? "[::1]" : "127.0.0.1";
  return url.origin;
}

function isAnyAddress(address: string): boolean {
  return address === "0.0.0.0" || address === "::";
}

/** Connections of its own, for a moment: the node's are busy, or closed already. */
async function withEngine<Result>(
  options: OperatorAccessOptions,
  work: (key: OperatorKeyOptions) => Promise<Result>,
): Promise<Result> {
  const { connection, withRoles } = options;
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  try {
    const clock = new DatabaseClock();
    return await work({ engine: pools.engine, clock, ids: new IdGenerator(() => clock.nowMs(), random) });
  } finally {
    await pools.end();
  }
}
