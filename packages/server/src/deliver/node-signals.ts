// How nodes wake each other through the database: what was handed off, lanes to move. A connection of its own, so that
// nothing waits behind it and it waits behind nothing. Only ever a hint: whoever misses one finds out by looking. Must
// never grow: what is to be said is a set of lanes and two flags, however much happens before it can be said.
import pg from "pg";
import type { Log } from "../lib/log.ts";
import type { ConnectionConfig } from "../storage/pools.ts";
import { HANDOFF_CHANNEL, LANES_CHANNEL, listen, notify } from "./node-signals.sql.ts";
import { type HandedOffWebhook, type Siblings, SiblingSignals } from "./siblings.ts";

/** What a node tells the others. */
export interface Signals {
  start(): void;
  /** A delivery was left for this webhook, whose lane another node owns. */
  handedOff(webhook: HandedOffWebhook): void;
  /** Deliveries were left in lanes that are not known here. */
  handedOffSomewhere(): void;
  /** There are lanes to be taken or given away. */
  lanesToMove(): void;
  /** Says what is left to be said, for a second at most, and closes. */
  stop(): Promise<void>;
}

/** Of a node that is alone. */
const NO_SIGNALS: Signals = {
  start() {},
  handedOff() {},
  handedOffSomewhere() {},
  lanesToMove() {},
  async stop() {},
};

export interface NodeSignalsOptions {
  readonly connection: ConnectionConfig;
  readonly log: Log;
  /** @param lanes undefined when it is not known which */
  readonly onHandedOver: (lanes: readonly number[] | undefined) => void;
  readonly onLanesToMove: () => void;
  /** The other processes on this machine, which are told without the database. */
  readonly siblings?: Siblings | undefined;
  /** True when some node is none of them. */
  readonly isAnyNodeElsewhere: () => boolean;
  /** A sibling left deliveries for these webhooks. */
  readonly onToldOf: (webhooks: readonly { lane: number; tenant_id: string; webhook_id: string }[]) => void;
  /** The processes of these nodes have ended. */
  readonly onNodesEnded: (ids: readonly string[]) => void;
}

/** Between two notifications: what happens meanwhile is said together. */
const GAP_MS = 5;
const FIRST_RECONNECT_MS = 100;
const LONGEST_RECONNECT_MS = 5_000;
const STOP_LIMIT_MS = 1_000;

/** @param soleNode there is nobody to be told anything */
export function createSignals(soleNode: boolean, options: NodeSignalsOptions): Signals {
  if (soleNode) return NO_SIGNALS;
  const byDatabase = new NodeSignals(options);
  const { siblings } = options;
  return siblings === undefined ? byDatabase : new SiblingSignals({ ...options, siblings, byDatabase });
}

class NodeSignals implements Signals {
  readonly #options: NodeSignalsOptions;
  readonly #lanes = new Set<number>();
  #isSomewhere = false;
  #isLanesToMove = false;
  #client: pg.Client | undefined;
  #ownProcessId: number | null = null;
  #sending: Promise<void> | undefined;
  #reconnectTimer: NodeJS.Timeout | undefined;
  #reconnectMs = FIRST_RECONNECT_MS;
  #stopped = false;

  constructor(options: NodeSignalsOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#connect();
  }

  handedOff({ lane }: HandedOffWebhook): void {
    this.#lanes.add(lane);
    this.#wake();
  }

  handedOffSomewhere(): void {
    this.#isSomewhere = true;
    this.#wake();
  }

  lanesToMove(): void {
    this.#isLanesToMove = true;
    this.#wake();
  }

  async stop(): Promise<void> {
    if (this.#stopped) return;
    this.#wake();
    if (this.#sending !== undefined) {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, STOP_LIMIT_MS)));
      await Promise.race([this.#sending, limit]);
      clearTimeout(timer);
    }
    this.#stopped = true;
    clearTimeout(this.#reconnectTimer);
    await this.#client?.end().catch(() => undefined);
  }

  #wake(): void {
    if (this.#sending !== undefined || this.#client === undefined || this.#stopped) return;
    this.#sending = this.#send(this.#client)
      // The connection is gone; the next one begins with a look at everything.
      .catch((error: unknown) => this.#options.log.debug({ err: error }, "a wake-up was not sent"))
      .finally(() => {
        this.#sending = undefined;
      });
  }

  async #send(client: pg.Client): Promise<void> {
    // Everything that this turn of the event loop brings goes together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (client === this.#client) {
      const lanes = this.#isSomewhere ? "" : [...this.#lanes].join(",");
      const isHandoff = this.#isSomewhere || this.#lanes.size > 0;
      const isLanesToMove = this.#isLanesToMove;
      if (!isHandoff && !isLanesToMove) return;
      this.#isSomewhere = false;
      this.#lanes.clear();
      this.#isLanesToMove = false;
      if (isLanesToMove) await notify(client, LANES_CHANNEL, "");
      if (isHandoff) await notify(client, HANDOFF_CHANNEL, lanes);
      await new Promise<void>((resolve) => setTimeout(resolve, GAP_MS));
    }
  }

  async #connect(): Promise<void> {
    const client = new pg.Client({
      ...this.#options.connection,
      connectionTimeoutMillis: 2_000,
      query_timeout: 3_000,
      keepAlive: true,
      application_name: "posthorn signals",
      options: "-c statement_timeout=2s",
    });
    client.on("error", () => {});
    client.once("end", () => this.#lost(client));
    client.on("notification", (message) => this.#hear(message));
    try {
      await client.connect();
      await listen(client);
    } catch (error) {
      this.#options.log.debug({ err: error }, "nodes cannot be heard at the moment");
      client.end().catch(() => undefined);
      this.#lost(client);
      return;
    }
    if (this.#stopped) {
      await client.end().catch(() => undefined);
      return;
    }
    this.#client = client;
    this.#ownProcessId = (client as pg.Client & { processID: number | null }).processID;
    this.#reconnectMs = FIRST_RECONNECT_MS;
    // What was said meanwhile was not heard, and what was to be said may be lost.
    this.#options.onHandedOver(undefined);
    this.#options.onLanesToMove();
    this.#isSomewhere = true;
    this.#isLanesToMove = true;
    this.#wake();
  }

  /** Once for each connection, whichever way it is noticed. */
  #lost(client: pg.Client): void {
    client.removeAllListeners("end");
    if (this.#client === client) this.#client = undefined;
    if (this.#stopped || this.#reconnectTimer !== undefined) return;
    this.#reconnectTimer = setTimeout(() => {
      this.#reconnectTimer = undefined;
      void this.#connect();
    }, this.#reconnectMs);
    this.#reconnectTimer.unref();
    this.#reconnectMs = Math.min(LONGEST_RECONNECT_MS, this.#reconnectMs * 2);
  }

  #hear(message: pg.Notification): void {
    if (message.processId === this.#ownProcessId) return;
    if (message.channel === LANES_CHANNEL) this.#options.onLanesToMove();
    else this.#options.onHandedOver(lanesOf(message.payload ?? ""));
  }
}

/** Anybody on this database can send a notification: what is no list of numbers counts as "somewhere". */
function lanesOf(payload: string): number[] | undefined {
  return /^\d{1,3}(,\d{1,3})*$/.test(payload) ? payload.split(",").map(Number) : undefined;
}
