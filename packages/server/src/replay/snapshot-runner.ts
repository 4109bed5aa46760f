// Makes deliveries of snapshots' records in the lanes of this node, in the order of their lines, at their pace and only
// while nearly nothing of the webhook is due: live traffic waits behind one small chunk at most. Must survive a kill between
// any two chunks without losing or doubling, whichever node goes on.
import type { IdGenerator } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import { millisecondsOfUuid } from "../lib/id-bounds.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import { countDue } from "./jobs.sql.ts";
import { type OrderingKeyOf, orderingKeysOf } from "./ordering.ts";
import {
  failSnapshot,
  selectRunningSnapshots,
  selectWaitingRecords,
  type SnapshotRow,
  writeSnapshotChunk,
} from "./snapshots.sql.ts";

export interface SnapshotRunnerOptions {
  /** Engine role. */
  readonly db: Executor;
  readonly clock: Clock;
  readonly log: Log;
  readonly ids: IdGenerator;
  readonly identity: () => NodeIdentity;
  readonly ownsLane: (lane: number) => boolean;
  readonly lanes: () => readonly number[];
  /** Rows of these lanes, which this node owns, are about to be written: none is given away before the end is called. */
  readonly holdLanes: (lanes: readonly number[]) => () => void;
  readonly findWebhook: (tenantUuid: string, webhookUuid: string) => Promise<Webhook | null>;
  readonly orderingKeyOf: OrderingKeyOf;
  /** Deliveries of this webhook were written, or may be: the answer was lost. */
  readonly onWritten: (
    webhooks: readonly { tenant_id: string; webhook_id: string }[],
    inDoubt: boolean,
  ) => Promise<void>;
}

const MOST_IN_CHUNK = 100;
/** Chunks of a second, where the pace allows more than one record in each. */
const CHUNKS_PER_SECOND = 10;
const DUE_AT_MOST = 50;
const WAIT_MS = 100;
const RETRY_MS = 500;

/** `ended`: nothing more to do for now. */
type Step = "moved" | "waits" | "ended";

export class SnapshotRunner {
  readonly #options: SnapshotRunnerOptions;
  #running: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: SnapshotRunnerOptions) {
    this.#options = options;
  }

  /** There may be something to deliver in this node's lanes. */
  wake(): void {
    if (this.#stopped) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#again) return;
      this.#again = false;
      this.wake();
    });
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const steps: Step[] = [];
        for (const snapshot of await selectRunningSnapshots(this.#options.db, this.#options.lanes())) {
          if (this.#stopped) return;
          steps.push(await this.#step(snapshot));
        }
        if (steps.includes("moved")) continue;
        if (steps.includes("waits")) this.#wakeIn(WAIT_MS);
        return;
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, "a snapshot could not go on; it does so where it stands");
      this.#wakeIn(RETRY_MS);
    }
  }

  #wakeIn(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), ms);
    this.#timer.unref();
  }

  async #step(snapshot: SnapshotRow): Promise<Step> {
    const { db, clock, identity, findWebhook, ownsLane } = this.#options;
    const webhook = await findWebhook(snapshot.tenant_id, snapshot.webhook_id);
    if (webhook === null || webhook.status === "deleted" || webhook.status === "disabled") {
      const problem = `The webhook was ${webhook?.status ?? "deleted"} meanwhile.`;
      await failSnapshot(db, identity(), snapshot, clock.nowMs(), problem);
      return "ended";
    }
    if (snapshot.received_count === snapshot.made_count) return "ended";
    // Looked at again with the next beat.
    if (webhook.status === "paused" || !ownsLane(snapshot.lane)) return "ended";
    if (clock.nowMs() < mayMoveAtMs(snapshot)) return "waits";
    if ((await countDue(db, snapshot, clock.nowMs(), DUE_AT_MOST + 1)) > DUE_AT_MOST) return "waits";
    return this.#write(snapshot, webhook);
  }

  async #write(snapshot: SnapshotRow, webhook: Webhook): Promise<Step> {
    const { db, clock, ids, identity, holdLanes, ownsLane, onWritten, orderingKeyOf } = this.#options;
    const records = await selectWaitingRecords(db, snapshot, chunkSizeOf(snapshot));
    const last = records.at(-1);
    if (last === undefined) return "ended";
    const events = records.map(({ event_id: id, retention_class }) => ({ id, retention_class }));
    const keys = await orderingKeysOf(db, webhook, events, orderingKeyOf);
    const letGo = holdLanes([snapshot.lane]);
    const rows = [{ tenant_id: snapshot.tenant_id, webhook_id: snapshot.webhook_id }];
    try {
      // Given away while the records were read: its new owner goes on.
      if (!ownsLane(snapshot.lane)) return "ended";
      const isMoved = await writeSnapshotChunk(db, identity(), clock.nowMs(), {
        snapshot,
        lastLine: last.line,
        webhookVersion: webhook.version,
        deliveries: events.map(({ id, retention_class }, index) => ({
          // A delivery's id carries its event's millisecond.
          idBytes: ids.next(millisecondsOfUuid(id)),
          eventBytes: Buffer.from(id.replaceAll("-", ""), "hex"),
          retentionClass: retention_class,
          orderingKey: keys[index] ?? null,
        })),
      });
      if (isMoved) await onWritten(rows, false);
      return isMoved ? "moved" : "ended";
    } catch (error) {
      await onWritten(rows, true);
      throw error;
    } finally {
      letGo();
    }
  }
}

function chunkSizeOf({ records_per_second: pace }: SnapshotRow): number {
  return Math.min(MOST_IN_CHUNK, Math.max(1, Math.floor(pace / CHUNKS_PER_SECOND)));
}

/** When the next chunk may be made: its time is counted from the one before, so the pace holds over a takeover too. */
function mayMoveAtMs(snapshot: SnapshotRow): number {
  return snapshot.moved_at.getTime() + (chunkSizeOf(snapshot) * 1_000) / snapshot.records_per_second;
}
