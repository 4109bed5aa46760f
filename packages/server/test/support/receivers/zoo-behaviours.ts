// How the animals of the receiver zoo behave: by path, what is written to the raw socket and when.
// It must never be polite: these are the receivers that break clients.
import type { Socket } from "node:net";
import { gzipSync } from "node:zlib";

/** What a behaviour may use; `every` repeats until the socket closes. */
export interface ZooVisit {
  readonly socket: Socket;
  readonly path: string;
  /** Counts visits to this path, from 0. */
  readonly visit: number;
  /** Where redirects lead: a receiver that must stay unvisited. */
  readonly canaryOrigin: string;
  every(intervalMs: number, act: () => void): void;
  after(delayMs: number, act: () => void): void;
}

export type ZooBehaviour = (visit: ZooVisit) => void;

const OK = "HTTP/1.1 200 OK\r\n";
const EMPTY_OK = `${OK}content-length: 0\r\n\r\n`;
const GZIP_BOMB = gzipSync(Buffer.alloc(8 * 1024 * 1024)); // 8 KiB
const CHUNK = Buffer.alloc(10_000, "x");

/** Answers a status and nothing else; redirects point at the canary. */
export function statusBehaviour(status: number): ZooBehaviour {
  return ({ socket, canaryOrigin }) => {
    const isRedirect = status >= 300 && status < 400;
    const location = isRedirect ? `location: ${canaryOrigin}/redirected\r\n` : "";
    const length = status === 204 || status === 304 ? "" : "content-length: 0\r\n";
    socket.write(`HTTP/1.1 ${status} Zoo\r\n${location}${length}\r\n`);
  };
}

function head(text: string): ZooBehaviour {
  return ({ socket }) => void socket.write(text);
}

function retryAfter(status: number, value: string): ZooBehaviour {
  return head(`HTTP/1.1 ${status} Zoo\r\nretry-after: ${value}\r\ncontent-length: 0\r\n\r\n`);
}

function redirectTo(location: string): ZooBehaviour {
  return head(`HTTP/1.1 302 Zoo\r\nlocation: ${location}\r\ncontent-length: 0\r\n\r\n`);
}

/** All behaviours that a path names; `/<status>` is answered beside these. */
export const ZOO_BEHAVIOURS: Readonly<Record<string, ZooBehaviour>> = {
  "/429-retry-after-seconds": retryAfter(429, "120"),
  "/429-retry-after-date": retryAfter(429, "Wed, 21 Oct 2099 07:28:00 GMT"),
  "/429-retry-after-negative": retryAfter(429, "-5"),
  "/429-retry-after-huge": retryAfter(429, "99999999999999999999"),
  "/429-retry-after-garbage": retryAfter(429, "soon; <b>"),
  "/503-retry-after": retryAfter(503, "30"),

  "/302-file": redirectTo("file:///etc/passwd"),
  "/302-no-scheme": ({ socket, canaryOrigin }) =>
    void socket.write(
      `HTTP/1.1 302 Zoo\r\nlocation: ${canaryOrigin.replace("http:", "")}/x\r\ncontent-length: 0\r\n\r\n`,
    ),
  "/302-loop": redirectTo("/302-loop"),

  // The connection is accepted and read, nothing is ever written.
  "/hang-accept": () => {},
  "/hang-headers": head(OK),
  "/drip-headers": ({ socket, every }) => {
    socket.write(OK);
    every(20, () => socket.write("x"));
  },
  "/drip-body": ({ socket, every }) => {
    socket.write(`${OK}content-length: 100000\r\n\r\n`);
    every(20, () => socket.write("x"));
  },
  "/slow-first-byte": ({ socket, after }) => after(60, () => socket.write(EMPTY_OK)),
  /** Longer than the deadline of those who are meant to meet it. */
  "/200-after-timeout": ({ socket, after }) => after(800, () => socket.write(EMPTY_OK)),
  "/infinite": ({ socket, every }) => {
    socket.write(`${OK}transfer-encoding: chunked\r\n\r\n`);
    every(1, () => {
      while (!socket.destroyed && socket.writableLength < 256 * 1024) socket.write(chunked(CHUNK));
    });
  },
  "/gzip-bomb": ({ socket }) => {
    socket.write(`${OK}content-encoding: gzip\r\ncontent-length: ${GZIP_BOMB.length}\r\n\r\n`);
    socket.write(GZIP_BOMB);
  },
  "/enc-chain-1000": head(
    `${OK}content-encoding: ${Array.from({ length: 1000 }, () => "gzip").join(", ")}\r\ncontent-length: 2\r\n\r\nok`,
  ),
  "/big-header-20k": head(`${OK}x-big: ${"a".repeat(20_000)}\r\ncontent-length: 0\r\n\r\n`),
  "/2000-headers": head(
    `${OK}${Array.from({ length: 2000 }, (_, i) => `h${i}: v\r\n`).join("")}content-length: 0\r\n\r\n`,
  ),

  "/rst": ({ socket }) => void socket.resetAndDestroy(),
  "/fin": ({ socket }) => void socket.end(),
  "/half-then-rst": ({ socket, after }) => {
    socket.write("HTTP/1.1 200 O");
    after(10, () => socket.resetAndDestroy());
  },
  "/body-then-rst": ({ socket, after }) => {
    socket.write(`${OK}content-length: 1000\r\n\r\nhalf`);
    after(10, () => socket.resetAndDestroy());
  },
  "/short-content-length": ({ socket }) => void socket.end(`${OK}content-length: 10\r\n\r\nshort`),
  "/long-content-length": head(`${OK}content-length: 2\r\n\r\nok, and much more than was announced`),
  "/until-close": ({ socket }) => void socket.end(`${OK}connection: close\r\n\r\nuntil close`),
  "/close-after": ({ socket }) => void socket.end(`${OK}content-length: 2\r\nconnection: close\r\n\r\nok`),

  "/cl-te": head(`${OK}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`),
  "/two-cl": head(`${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`),
  "/bad-chunk": head(`${OK}transfer-encoding: chunked\r\n\r\nZZ\r\nhello\r\n0\r\n\r\n`),
  "/garbage": head("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"),
  "/http-0.9": ({ socket }) => void socket.end("<html>hello</html>"),
  "/999": head("HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n"),
  "/000": head("HTTP/1.1 000 Odd\r\ncontent-length: 0\r\n\r\n"),
  "/control-reason": head("HTTP/1.1 200 \u0001\u0002\r\ncontent-length: 0\r\n\r\n"),

  "/100-flood": ({ socket, after }) => {
    for (let i = 0; i < 50; i++) after(i, () => socket.write("HTTP/1.1 100 Continue\r\n\r\n"));
  },
  "/103-flood": ({ socket, every }) => every(1, () => socket.write("HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n")),
  "/101": head("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"),
  "/103-then-200": head(`HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n${OK}content-length: 2\r\n\r\nok`),
  "/two-responses": head(`${EMPTY_OK}HTTP/1.1 500 Smuggled\r\ncontent-length: 0\r\n\r\n`),

  "/flap-50pct": ({ socket, visit }) => void socket.write(visit % 2 === 0 ? serverError() : EMPTY_OK),
  "/dead-then-alive": ({ socket, visit }) => {
    if (visit < 3) socket.resetAndDestroy();
    else socket.write(EMPTY_OK);
  },
};

function serverError(): string {
  return "HTTP/1.1 500 Zoo\r\ncontent-length: 0\r\n\r\n";
}

function chunked(data: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${data.length.toString(16)}\r\n`), data, Buffer.from("\r\n")]);
}
