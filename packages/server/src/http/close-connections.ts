// Ends a server's connections when it closes. Node waits for every connection that is not known to be idle, and one on
// which no request has come yet is not: a client that dials ahead would keep a stopping node for ever.
import type { Socket } from "node:net";
import type { FastifyInstance } from "fastify";

/** A request that is on its way on a new connection arrives within this; a sender repeats what is cut off. */
const UNUSED_GRACE_MS = 250;
/** The longest that requests which have begun may take to end, of the 20 s that a node has. */
const REQUEST_GRACE_MS = 4_000;

/** Has `app.close()` end within a few seconds, whatever clients do. */
export function limitClosing(app: FastifyInstance): void {
  const unused = new Set<Socket>();
  app.server.on("connection", (socket: Socket) => {
    unused.add(socket);
    socket.once("close", () => unused.delete(socket));
  });
  app.server.on("request", ({ socket }) => unused.delete(socket));
  app.addHook("preClose", async () => {
    setTimeout(() => {
      for (const socket of unused) socket.destroy();
    }, UNUSED_GRACE_MS).unref();
    setTimeout(() => app.server.closeAllConnections(), REQUEST_GRACE_MS).unref();
  });
}
