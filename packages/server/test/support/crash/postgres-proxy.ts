// Stands between a node and PostgreSQL and breaks connections at the worst moments. It reads message types and nothing
// else, changes no byte, and must never reconnect or buffer on its own account.
import { connect, createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import type { SceneConnection } from "./scene.ts";

export interface PostgresProxy {
  /** What a node connects with. */
  readonly connection: SceneConnection;
  /**
   * Lets the next statement on a connection of that pool be committed, swallows its answer and cuts the connection.
   * Resolves when that has happened.
   */
  cutNextAnswer(pool: "capture" | "record"): Promise<void>;
  /**
   * Cuts the node off as soon as the next statement of that pool has been passed on; PostgreSQL is left alone with it,
   * and commits when it gets to it.
   */
  cutAfterNextStatement(pool: "capture" | "record"): Promise<void>;
  /** Breaks every connection and listens no more until `accept`. */
  refuse(): void;
  accept(): Promise<void>;
  /** Passes nothing on, in either direction, on any connection, without closing one: a network that went silent. */
  stall(): void;
  /** Breaks what was stalled; new connections work. */
  endStall(): void;
  close(): Promise<void>;
}

type Cut = { readonly pool: string; readonly when: "answered" | "sent"; readonly done: () => void };

interface Link {
  readonly client: Socket;
  readonly server: Socket;
}

const READY_FOR_QUERY = "Z";

/** Listens on a free port of loopback. */
export async function startPostgresProxy(upstream: SceneConnection): Promise<PostgresProxy> {
  const links = new Set<Link>();
  let cut: Cut | undefined;
  let isStalled = false;
  const breakLink = ({ client, server }: Link): void => {
    client.destroy();
    server.destroy();
  };

  const listener: Server = createServer((client) => {
    const server = upstream.host.startsWith("/")
      ? connect(`${upstream.host}/.s.PGSQL.${upstream.port}`)
      : connect(upstream.port, upstream.host);
    const link = { client, server };
    links.add(link);
    for (const socket of [client, server]) socket.on("error", () => {});
    client.once("close", () => {
      links.delete(link);
      if (cutOff !== "sent") server.destroy();
    });
    server.once("close", () => client.destroy());

    let pool = "";
    let cutOff: Cut["when"] | undefined;
    const answers = messageTypes();
    client.on("data", (chunk: Buffer) => {
      if (isStalled) return;
      pool ||= poolOf(chunk);
      server.write(chunk);
      // Bind is what a statement begins with when it was prepared before; Parse when it was not.
      if (cut?.when === "sent" && cut.pool === pool && answers.isReady() && isStatement(chunk)) {
        cutOff = "sent";
        cut.done();
        cut = undefined;
        client.destroy();
      }
    });
    server.on("data", (chunk: Buffer) => {
      if (isStalled) return;
      const wasReady = answers.isReady();
      const types = answers.take(chunk);
      if (cut?.when === "answered" && cut.pool === pool && wasReady) {
        // Held back until the statement is through: ReadyForQuery follows the commit.
        if (!types.includes(READY_FOR_QUERY)) return;
        cut.done();
        cut = undefined;
        breakLink(link);
        return;
      }
      client.write(chunk);
    });
  });
  const listen = (onPort: number): Promise<void> =>
    new Promise((resolve) => void listener.listen(onPort, "127.0.0.1", resolve));
  await listen(0);
  const { port } = listener.address() as AddressInfo;
  const arm = (pool: string, when: Cut["when"]): Promise<void> =>
    new Promise((done) => {
      cut = { pool, when, done };
    });

  return {
    connection: { ...upstream, host: "127.0.0.1", port },
    cutNextAnswer: (pool) => arm(pool, "answered"),
    cutAfterNextStatement: (pool) => arm(pool, "sent"),
    refuse() {
      listener.close();
      for (const link of links) breakLink(link);
    },
    accept: () => listen(port),
    stall: () => void (isStalled = true),
    endStall() {
      for (const link of links) breakLink(link);
      isStalled = false;
    },
    close: () =>
      new Promise((resolve) => {
        listener.close(() => resolve());
        for (const link of links) breakLink(link);
      }),
  };
}

/** The pool's name in the startup packet: `application_name`, `posthorn capture`. */
function poolOf(startup: Buffer): string {
  return /application_name\0posthorn (\w+)\0/.exec(startup.toString("latin1"))?.[1] ?? "";
}

/** Parse or Bind at the front of what a client sends. */
function isStatement(chunk: Buffer): boolean {
  const type = String.fromCharCode(chunk[0] ?? 0);
  return type === "P" || type === "B";
}

/** Splits a server's stream into messages (type, length, content) across chunks; `isReady` after the first `Z`. */
function messageTypes(): { take(chunk: Buffer): string[]; isReady(): boolean } {
  let rest: Buffer = Buffer.alloc(0);
  let skip = 0;
  let ready = false;
  return {
    isReady: () => ready,
    take(chunk) {
      const types: string[] = [];
      let bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const skipped = Math.min(skip, bytes.length);
        bytes = bytes.subarray(skipped);
        skip -= skipped;
        if (skip > 0 || bytes.length < 5) break;
        types.push(String.fromCharCode(bytes[0] as number));
        skip = 1 + bytes.readUInt32BE(1);
      }
      rest = bytes;
      if (types.includes(READY_FOR_QUERY)) ready = true;
      return types;
    },
  };
}
