// A node that stops must not wait for clients that have nothing to say.
// Broken on purpose: without the hook the stop waits for the client to hang up.
import { once } from "node:events";
import { connect } from "node:net";
import { expect, test } from "vitest";
import { startTestNode } from "../support/node.ts";

test("a connection on which no request has come does not keep a stopping node", async () => {
  const node = await startTestNode();
  const { hostname, port } = new URL(node.node.url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  // So that the server has accepted it.
  expect((await fetch(`${node.node.url}/healthz`)).status).toBe(200);
  const ended = once(socket, "close");
  socket.resume();
  await node.stop();
  await ended;
});
