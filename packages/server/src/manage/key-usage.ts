// When each API key was last used: noted in memory for every request, written down by upkeep. Must cost next to nothing
// on the hot path, and must never write for a key more often than upkeep asks.
import { type Id, uuidFromId } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Executor } from "../storage/pools.ts";
import { updateLastUsed } from "./api-keys.sql.ts";

interface Use {
  readonly tenantUuid: string;
  usedAtMs: number;
}

export interface KeyUsageOptions {
  /** Engine role. */
  readonly engine: Executor;
  readonly clock: Clock;
}

export class KeyUsage {
  readonly #options: KeyUsageOptions;
  #uses = new Map<Id<"apiKey">, Use>();

  constructor(options: KeyUsageOptions) {
    this.#options = options;
  }

  /** The key was used now. */
  note(key: { readonly tenantUuid: string; readonly keyId: Id<"apiKey"> }): void {
    const usedAtMs = this.#options.clock.nowMs();
    const use = this.#uses.get(key.keyId);
    if (use === undefined) this.#uses.set(key.keyId, { tenantUuid: key.tenantUuid, usedAtMs });
    else use.usedAtMs = usedAtMs;
  }

  /** Writes down what was noted since the last time. After a failure nothing is lost: it is written the next time. */
  async flush(): Promise<void> {
    if (this.#uses.size === 0) return;
    const uses = this.#uses;
    this.#uses = new Map();
    try {
      await updateLastUsed(
        this.#options.engine,
        [...uses].map(([keyId, use]) => ({ ...use, keyUuid: uuidFromId("apiKey", keyId) })),
      );
    } catch (error) {
      for (const [keyId, use] of uses) if (!this.#uses.has(keyId)) this.#uses.set(keyId, use);
      throw error;
    }
  }
}
