// Expands stored fan-outs: an event that more than 256 webhooks must hear of is acknowledged with its list, and its
// deliveries are written here in fenced chunks. Must survive a kill between any two chunks without losing or doubling.
import { type IdGenerator, idFromUuid, millisecondsOfId, parseId } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import { expandChunk, type FanOutHead, selectFanOut, selectFanOuts } from "./fan-out.sql.ts";

/** More matches than this are stored as a list. */
export const FAN_OUT_THRESHOLD = 256;
const CHUNK = 1_000;
const RETRY_MS = 500;

export interface FanOutOptions {
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly ids: IdGenerator;
  readonly identity: () => NodeIdentity;
  readonly ownsLane: (lane: number) => boolean;
  readonly lanes: () => readonly number[];
  /** Rows of these lanes, which this node owns, are about to be written: none is given away before the end is called. */
  readonly holdLanes: (lanes: readonly number[]) => () => void;
  /** Deliveries of these webhooks were written. */
  readonly onWritten: (
    webhooks: readonly { tenant_id: string; webhook_id: string }[],
    /** The answer was lost: they may be written, now or in a moment. */
    inDoubt: boolean,
  ) => Promise<void>;
  readonly failpoint?: (name: "between_chunks") => void;
}

export class FanOuts {
  readonly #options: FanOutOptions;
  #running: Promise<void> | undefined;
  #again = false;
  #stopped = false;

  constructor(options: FanOutOptions) {
    this.#options = options;
  }

  /** There may be lists in this node's lanes. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#again) {
        this.#again = false;
        this.wake();
      }
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      const heads = await selectFanOuts(this.#options.db, this.#options.lanes());
      for (const head of heads) {
        if (this.#stopped) return;
        await this.#expand(head);
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, "expanding a fan-out failed; it goes on where it stands");
      setTimeout(() => this.wake(), RETRY_MS).unref();
    }
  }

  async #expand(head: FanOutHead): Promise<void> {
    const { db, clock, ids, identity, ownsLane, holdLanes, onWritten, failpoint } = this.#options;
    const list = await selectFanOut(db, head.tenant_id, head.id);
    if (list === null) return;
    const eventMs = millisecondsOfId("event", idFromUuid("event", list.id));
    for (let from = list.next_index; from < list.webhook_ids.length && !this.#stopped; from += CHUNK) {
      const to = Math.min(from + CHUNK, list.webhook_ids.length);
      const webhookUuids = list.webhook_ids.slice(from, to);
      const webhooks = webhookUuids.map((webhook_id) => ({ tenant_id: list.tenant_id, webhook_id }));
      const ownLanes = list.webhook_lanes.slice(from, to).filter((lane) => ownsLane(lane));
      const letGo = holdLanes(ownLanes);
      const written = await expandChunk(db, identity(), clock.nowMs(), {
        tenantUuid: list.tenant_id,
        eventUuid: list.id,
        fromIndex: from,
        isLast: to === list.webhook_ids.length,
        deliveries: webhookUuids.map((uuid, index) => {
          const lane = list.webhook_lanes[from + index] as number;
          return {
            idBytes: ids.next(eventMs),
            webhookBytes: parseId("webhook", idFromUuid("webhook", uuid)) as Uint8Array,
            version: list.webhook_versions[from + index] as number,
            lane,
            handoff: !ownsLane(lane),
          };
        }),
      })
        .catch(async (error: unknown) => {
          await onWritten(webhooks, true);
          throw error;
        })
        .finally(letGo);
      // Nothing written: another expander is at it, or this node was declared dead.
      if (written === 0) return;
      await onWritten(webhooks, false);
      failpoint?.("between_chunks");
    }
  }
}
