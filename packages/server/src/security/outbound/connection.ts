// One open, checked connection: an undici client that speaks HTTP/1.1 on exactly this socket.
// It must never connect by itself: when the socket is gone, the connection is gone, nothing is resent.
import type { Socket } from "node:net";
import { Client, type Dispatcher } from "undici";

/** Reported to a request that was queued on a connection which closed before a byte of it was written. */
export const STALE_CONNECTION = "POSTHORN_STALE_CONNECTION";

const MAX_HEAD_BYTES = 16 * 1024;

const noop = (): void => {};

export class Connection {
  readonly poolKey: string;
  readonly address: string;
  readonly openedAtMs: number;
  readonly certificateExpiresAtMs: number | null;
  readonly #client: Client;
  readonly #socket: Socket;
  #isHandedOver = false;

  constructor(options: {
    readonly poolKey: string;
    readonly origin: string;
    readonly address: string;
    readonly openedAtMs: number;
    readonly certificateExpiresAtMs: number | null;
    readonly socket: Socket;
    readonly idleMs: number;
    readonly onClosed: (connection: Connection) => void;
  }) {
    this.poolKey = options.poolKey;
    this.address = options.address;
    this.openedAtMs = options.openedAtMs;
    this.certificateExpiresAtMs = options.certificateExpiresAtMs;
    this.#socket = options.socket;
    this.#client = new Client(options.origin, {
      pipelining: 1,
      allowH2: false,
      maxHeaderSize: MAX_HEAD_BYTES,
      // Deadlines are ours (undici's reset with every chunk, so a dripping receiver never meets them).
      headersTimeout: 0,
      bodyTimeout: 0,
      // A receiver's Keep-Alive hint may shorten the idle time, never lengthen it.
      keepAliveTimeout: options.idleMs,
      keepAliveMaxTimeout: options.idleMs,
      connect: (_options, callback) => this.#handOver(callback),
    });
    options.socket.once("close", () => options.onClosed(this));
  }

  /** False once the receiver closed it or an error ended it (undici destroys the socket on either). */
  get isOpen(): boolean {
    return !this.#socket.destroyed;
  }

  /** Request bytes not yet given to the operating system. */
  get unsentBytes(): number {
    return this.#socket.writableLength;
  }

  dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): void {
    this.#client.dispatch(options, handler);
  }

  /** Closes at once; a request running on it ends with an error that its attempt ignores. */
  destroy(): void {
    this.#client.destroy(null, noop);
    this.#socket.destroy();
  }

  #handOver(callback: (...args: [null, Socket] | [Error, null]) => void): void {
    if (this.#isHandedOver) {
      const stale = Object.assign(new Error("The connection has closed."), { code: STALE_CONNECTION });
      queueMicrotask(() => callback(stale, null));
      return;
    }
    this.#isHandedOver = true;
    // Not at once: undici ignores a connection that arrives while it is still asking for one.
    queueMicrotask(() => callback(null, this.#socket));
  }
}
