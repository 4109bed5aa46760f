// A real HTTP(S) server on loopback that records what it receives and answers as the test says.
// It must never sleep or retry: tests wait for `received(n)`, and `close` leaves no socket behind.
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type ServerResponse,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { type PeerCertificate, TLSSocket } from "node:tls";
import type { TestCertificate } from "./certificates.ts";

/** One request as it arrived. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  /** Lower-case names; repeated headers joined by ", " (see `rawHeaders`). */
  readonly headers: Readonly<Record<string, string>>;
  readonly rawHeaders: readonly string[];
  readonly body: Buffer;
  readonly receivedAtMs: number;
  /** Number of the connection it came on, from 1. */
  readonly connection: number;
  readonly peerCertificate: PeerCertificate | null;
}

/** What to answer: a status, a whole answer, or `hang` for silence. */
export type Answer =
  | number
  | "hang"
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>>; readonly body?: string | Buffer };

export interface ReceiverOptions {
  /** `index` counts requests from 0; may wait. 200 for everything when absent. */
  readonly answer?: (request: ReceivedRequest, index: number) => Answer | Promise<Answer>;
  /** Serves https with this certificate. */
  readonly tls?: TestCertificate & { readonly clientCa?: string };
  /** 127.0.0.1 unless given. */
  readonly host?: string;
}

export interface Receiver {
  readonly port: number;
  /** `http://127.0.0.1:port` (or https), without a slash at the end. */
  readonly origin: string;
  readonly requests: readonly ReceivedRequest[];
  /** Connections opened to it so far, also those that never sent a request. */
  readonly connectionCount: number;
  /** Resolves with the first `count` requests as soon as they have arrived. */
  received(count: number): Promise<readonly ReceivedRequest[]>;
  /** Closes every open connection but keeps listening. */
  dropConnections(): void;
  close(): Promise<void>;
}

/** Starts a receiver on a free port. */
export async function startReceiver(options: ReceiverOptions = {}): Promise<Receiver> {
  const recorder = createRecorder();
  const sockets = new Set<Socket>();
  const connectionNumbers = new WeakMap<Socket, number>();
  let connectionCount = 0;

  const onRequest: RequestListener = (request, response) => {
    void handleRequest(request, response).catch((error: unknown) => response.destroy(error as Error));
  };
  async function handleRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const received = describe(request, Buffer.concat(chunks), connectionNumbers.get(request.socket) ?? 0);
    const index = recorder.record(received);
    const answer = options.answer === undefined ? 200 : await options.answer(received, index);
    if (answer !== "hang") writeAnswer(response, answer);
  }

  const { tls } = options;
  const server =
    tls === undefined
      ? createHttpServer(onRequest)
      : createHttpsServer(
          {
            cert: tls.certificate,
            key: tls.privateKey,
            ...(tls.clientCa !== undefined && { ca: tls.clientCa, requestCert: true, rejectUnauthorized: true }),
          },
          onRequest,
        );
  server.on("connection", (socket: Socket) => {
    connectionCount++;
    track(sockets, socket);
    if (tls === undefined) connectionNumbers.set(socket, connectionCount);
  });
  server.on("secureConnection", (socket: Socket) => connectionNumbers.set(socket, connectionCount));
  server.on("tlsClientError", () => {});
  const host = options.host ?? "127.0.0.1";
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const { port } = server.address() as AddressInfo;

  return {
    port,
    origin: `${tls === undefined ? "http" : "https"}://${host.includes(":") ? `[${host}]` : host}:${port}`,
    requests: recorder.requests,
    get connectionCount() {
      return connectionCount;
    },
    received: recorder.received,
    dropConnections: () => destroyAll(sockets),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        destroyAll(sockets);
      }),
  };
}

/** Keeps a list and wakes those who wait for it to grow. */
function createRecorder(): Pick<Receiver, "requests" | "received"> & { record(request: ReceivedRequest): number } {
  const requests: ReceivedRequest[] = [];
  const waiters = new Set<() => void>();
  return {
    requests,
    record(request) {
      const index = requests.push(request) - 1;
      for (const wake of waiters) wake();
      return index;
    },
    received: (count) =>
      new Promise((resolve) => {
        const wake = (): void => {
          if (requests.length < count) return;
          waiters.delete(wake);
          resolve(requests.slice(0, count));
        };
        waiters.add(wake);
        wake();
      }),
  };
}

function describe(request: IncomingMessage, body: Buffer, connection: number): ReceivedRequest {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(request.headers)) {
    headers[name] = Array.isArray(value) ? value.join(", ") : (value ?? "");
  }
  const { socket } = request;
  return {
    method: request.method ?? "",
    path: request.url ?? "",
    headers,
    rawHeaders: request.rawHeaders,
    body,
    receivedAtMs: performance.now(),
    connection,
    peerCertificate: socket instanceof TLSSocket ? socket.getPeerCertificate() : null,
  };
}

function writeAnswer(response: ServerResponse, answer: Exclude<Answer, "hang">): void {
  const { status, headers = {}, body = "" } = typeof answer === "number" ? { status: answer } : answer;
  response.writeHead(status, headers);
  response.end(body);
}

/** Remembers an open socket until it closes; receivers of raw bytes use it too. */
export function track(sockets: Set<Socket>, socket: Socket): void {
  sockets.add(socket);
  socket.on("error", () => {});
  socket.once("close", () => sockets.delete(socket));
}

export function destroyAll(sockets: ReadonlySet<Socket>): void {
  for (const socket of sockets) socket.destroy();
}
