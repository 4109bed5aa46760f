// Stands between the SDK and a real node and does to each request what the script says: refuse, cut, be slow, pass on.
// It records what it saw; it never changes a body.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Fault =
  | "pass"
  /** The connection breaks before the node hears of the request. */
  | "cut_before"
  /** The node does it; the connection breaks before the answer. */
  | "cut_after"
  /** The node does it; half of the answer arrives. */
  | "cut_in_answer"
  /** The node does it; the answer never comes. */
  | "swallow_answer"
  /** Nothing is done and nothing comes. */
  | "hang"
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body: string };

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

export interface FaultyServer {
  readonly url: string;
  readonly seen: readonly SeenRequest[];
  close(): Promise<void>;
}

/** @param script what happens to the first request, the second…; everything after it passes */
export async function startFaultyServer(target: string, script: readonly Fault[]): Promise<FaultyServer> {
  const seen: SeenRequest[] = [];
  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    const body = Buffer.concat(chunks);
    const fault = script[seen.length] ?? "pass";
    seen.push({ method, path: url, headers, body });
    if (fault === "hang") return;
    if (fault === "cut_before") return void request.socket.destroy();
    if (typeof fault === "object") return void response.writeHead(fault.status, fault.headers).end(fault.body);
    const { host: _host, connection: _connection, "content-length": _length, ...passed } = headers;
    const answer = await fetch(target + url, {
      method,
      headers: passed as Record<string, string>,
      ...(method === "GET" ? {} : { body }),
    });
    const text = await answer.text();
    if (fault === "swallow_answer") return;
    if (fault === "cut_after") return void request.socket.destroy();
    const answerHeaders = Object.fromEntries(answer.headers);
    delete answerHeaders["transfer-encoding"];
    response.writeHead(answer.status, { ...answerHeaders, "content-length": String(Buffer.byteLength(text)) });
    if (fault === "pass") return void response.end(text);
    response.write(text.slice(0, text.length / 2), () => request.socket.destroy());
  }
  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** An answer in the house style of failures. */
export function failureAnswer(status: number, code: string, headers: Record<string, string> = {}): Fault {
  const meta = { requestId: "req_01KATEK0G3F3Q8T9W7M1N5V2XB", timestamp: "2026-11-23T08:00:00.000Z" };
  const documentation = `/docs/errors#${code}`;
  const error = { code, message: "Said by the test.", details: [], documentation, ...meta };
  return { status, headers, body: JSON.stringify({ success: false, error, meta }) };
}
