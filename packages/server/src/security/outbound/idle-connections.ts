// Open connections that wait for their next request, by pool key: origin, TLS identity, guard decision.
// It must never hand a connection to another key, nor one older than the names it was resolved from may be.
import type { Connection } from "./connection.ts";

export class IdleConnections {
  readonly #stacks = new Map<string, Connection[]>();
  readonly #maxIdle: number;
  readonly #maxAgeMs: number;
  #count = 0;

  /** `maxAgeMs` bounds how long a connection serves after it was dialled, so that DNS changes are honoured. */
  constructor(options: { readonly maxIdle: number; readonly maxAgeMs: number }) {
    this.#maxIdle = options.maxIdle;
    this.#maxAgeMs = options.maxAgeMs;
  }

  get count(): number {
    return this.#count;
  }

  /** The latest returned one (it is the warmest, and lets the others grow idle and close), or null. */
  take(poolKey: string, nowMs: number): Connection | null {
    const stack = this.#stacks.get(poolKey);
    if (stack === undefined) return null;
    for (let connection = stack.pop(); connection !== undefined; connection = stack.pop()) {
      this.#count--;
      if (stack.length === 0) this.#stacks.delete(poolKey);
      if (connection.isOpen && nowMs - connection.openedAtMs < this.#maxAgeMs) return connection;
      connection.destroy();
    }
    return null;
  }

  /** Keeps the connection for the next request, or closes it when it is spent. */
  put(connection: Connection, nowMs: number): void {
    if (!connection.isOpen || connection.unsentBytes > 0 || nowMs - connection.openedAtMs >= this.#maxAgeMs) {
      connection.destroy();
      return;
    }
    if (this.#count >= this.#maxIdle) this.evict();
    const stack = this.#stacks.get(connection.poolKey);
    if (stack === undefined) this.#stacks.set(connection.poolKey, [connection]);
    else stack.push(connection);
    this.#count++;
  }

  /** Forgets a connection that closed by itself. */
  remove(connection: Connection): void {
    const stack = this.#stacks.get(connection.poolKey);
    const index = stack === undefined ? -1 : stack.indexOf(connection);
    if (stack === undefined || index === -1) return;
    stack.splice(index, 1);
    this.#count--;
    if (stack.length === 0) this.#stacks.delete(connection.poolKey);
  }

  /**
   * Closes the longest idle connection of the key that has been waiting longest; false when there is none.
   * A key leaves the map when its last idle connection is taken, so map order is by last use, nearly.
   */
  evict(): boolean {
    const stack = this.#stacks.values().next().value;
    const connection = stack?.[0];
    if (connection === undefined) return false;
    this.remove(connection);
    connection.destroy();
    return true;
  }

  closeAll(): void {
    while (this.evict());
  }
}
