// A plain HTTP server on this machine that takes whole requests and answers each one as it is told.
// Must never hold more than one body's limit for a request, nor keep its port after `close`.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { CommandFailure, EXIT } from "../lib/exit.ts";

export interface Taken {
  readonly method: string;
  readonly path: string;
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

export interface GivenAnswer {
  readonly status: number;
  readonly text: string;
  /** Called when the answer is out. */
  readonly sent?: () => void;
}

export interface LocalServer {
  /** `127.0.0.1:9000`, as an allow list takes it. */
  readonly target: string;
  /** `http://127.0.0.1:9000` */
  readonly url: string;
  readonly close: () => Promise<void>;
}

/** An event may have 10 MiB, and a template may repeat it. */
const MAX_BODY_BYTES = 64 * 1024 * 1024;

/**
 * @param answer resolves with null when nothing is to be answered any more
 * @throws CommandFailure when the port cannot be had
 */
export async function startLocalServer(
  at: { readonly host: string; readonly port: number },
  answer: (taken: Taken) => Promise<GivenAnswer | null>,
): Promise<LocalServer> {
  const server = createServer((request, response) => {
    void handle(request, response, answer).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => reject(notListening(error, at)));
    server.listen(at.port, at.host, resolve);
  });
  const { port, address, family } = server.address() as AddressInfo;
  const any: Readonly<Record<string, string>> = { "0.0.0.0": "127.0.0.1", "::": "::1" };
  const host = any[address] ?? address;
  const target = `${family === "IPv6" ? `[${host}]` : host}:${port}`;
  return {
    target,
    url: `http://${target}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (taken: Taken) => Promise<GivenAnswer | null>,
): Promise<void> {
  const chunks: Buffer[] = [];
  let byteCount = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    byteCount += chunk.length;
    if (byteCount > MAX_BODY_BYTES) {
      response.writeHead(413, { connection: "close" }).end("Too large for this receiver.\n");
      return;
    }
    chunks.push(chunk);
  }
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  const { method = "", url: path = "" } = request;
  const given = await answer({ method, path, headers, body: Buffer.concat(chunks) });
  if (given === null) {
    response.destroy();
    return;
  }
  response.once("finish", () => given.sent?.());
  // RFC 9110, 15.3.5 and 15.4.5: these have no content.
  if ([204, 304].includes(given.status)) response.writeHead(given.status).end();
  else response.writeHead(given.status, { "content-type": "text/plain; charset=utf-8" }).end(given.text);
}

function notListening(error: NodeJS.ErrnoException, { host, port }: { host: string; port: number }): CommandFailure {
  const hint =
    error.code === "EADDRINUSE"
      ? "Another program listens there: give another --port, or 0 for a free one."
      : undefined;
  return new CommandFailure("CANNOT_LISTEN", `Cannot listen at ${host}:${port} (${error.code ?? error.message}).`, {
    exitCode: EXIT.usage,
    ...(hint === undefined ? {} : { hint }),
  });
}
