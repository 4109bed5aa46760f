// A PostgreSQL of one crash run's own, to be killed: the embedded server with its supervision, fsync on, in a folder
// that goes with it. Must never be the server that other tests share.
import { chmodSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startEmbeddedPostgres } from "../../../src/storage/embedded/start.ts";
import { newFolder } from "../folder.ts";
import type { SceneConnection } from "./scene.ts";

export interface OwnPostgres {
  readonly connection: SceneConnection;
  /** SIGKILL to the postmaster: its backends end by themselves, nothing is written any more. */
  kill(): void;
  /** SIGQUIT: `pg_ctl stop -m immediate`. */
  stopImmediately(): void;
  /** Resolves at the next restart. */
  restarted(): Promise<void>;
  stop(): Promise<void>;
}

export interface OwnPostgresOptions {
  /** A folder to live in instead of a temporary one; left to the caller to remove. */
  readonly folder?: string;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Starts it; about two seconds, most of it initdb. */
export async function startOwnPostgres(options: OwnPostgresOptions = {}): Promise<OwnPostgres> {
  const folder = options.folder ?? newFolder("posthorn-crash-postgres-");
  // PostgreSQL does not run as root; its user has to be let through.
  chmodSync(folder, 0o711);
  const waiting: (() => void)[] = [];
  const server = await startEmbeddedPostgres({
    dataDir: join(folder, "posthorn"),
    stateRoot: join(folder, "state"),
    runtimeRoot: join(tmpdir(), `posthorn-test-${process.getuid?.() ?? "user"}`, "runtime"),
    log: { info() {}, warn() {}, error() {} },
    settings: { max_connections: "120", ...options.settings },
    onEvent: (event) => {
      if (event.kind === "restarted") for (const wake of waiting.splice(0)) wake();
    },
  });
  return {
    connection: server.connection,
    kill: () => server.kill(),
    stopImmediately: () => void process.kill(server.pid(), "SIGQUIT"),
    restarted: () => new Promise((resolve) => waiting.push(resolve)),
    async stop() {
      await server.stop();
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
