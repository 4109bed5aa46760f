// What stands before several nodes: hands each new connection to the next of them that takes connections. Looks into
// nothing, and must never hold a connection open that its node has closed.
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Balancer {
  /** `http://127.0.0.1:port` */
  readonly url: string;
  close(): Promise<void>;
}

/** @param urls of the nodes that may be asked now, in any order */
export async function startBalancer(urls: () => readonly string[]): Promise<Balancer> {
  const sockets = new Set<Socket>();
  let turn = 0;
  const keep = (socket: Socket): void => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
  };
  /** Tries one after the other: a node that stops refuses connections before its balancer has heard of it. */
  const join = (client: Socket, left: readonly string[]): void => {
    const [url, ...others] = left;
    if (url === undefined) {
      client.destroy();
      return;
    }
    const node = connect(Number(new URL(url).port), "127.0.0.1");
    keep(node);
    let isConnected = false;
    node.once("connect", () => {
      isConnected = true;
      client.pipe(node);
      node.pipe(client);
    });
    node.once("close", () => {
      if (isConnected) client.destroy();
      else join(client, others);
    });
    client.once("close", () => node.destroy());
  };
  const server = createServer((client) => {
    keep(client);
    const now = urls();
    turn += 1;
    const first = turn % Math.max(1, now.length);
    join(client, [...now.slice(first), ...now.slice(0, first)]);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}
