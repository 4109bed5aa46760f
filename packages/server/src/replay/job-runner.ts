// Works off bulk replays in the lanes of this node: a chunk of each job in turn, oldest events first. Yields to live
// traffic: a chunk is written only when nearly nothing of its webhook is due. Must survive a kill between any two chunks
// without losing or doubling, whichever node goes on.
import type { IdGenerator } from "@posthorn/contract";
import type { Clock } from "../lib/clock.ts";
import { lowestUuid, millisecondsOfUuid, uuidAfter } from "../lib/id-bounds.ts";
import type { Log } from "../lib/log.ts";
import type { Webhook } from "../storage/configuration.ts";
import type { NodeIdentity } from "../storage/fence.ts";
import type { Executor } from "../storage/pools.ts";
import type { DeliveryPlace } from "../storage/webhook-events.sql.ts";
import { findEventsOfWebhook } from "../storage/webhook-events.ts";
import { selectEventsByKeys, selectEventsInSpan, selectOwedEvents, type StoredEventRow } from "./job-events.sql.ts";
import { countDue, failReplayJob, type ReplayJobRow, selectRunningJobs, writeReplayChunk } from "./jobs.sql.ts";
import { eventOf, type EventToMatch, type OrderingKeyOf, orderingKeysOf } from "./ordering.ts";

/** What an event has to be: compiled once for a job. */
export type Wanted = (event: EventToMatch) => boolean;

export interface ReplayRunnerOptions {
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
  /** Declared here, made by route: do these patterns and filters let an event pass? */
  readonly wantedBy: (webhook: Webhook, events: readonly string[], filters: readonly string[]) => Wanted;
  /** Whether a webhook as it is now would hear of an event. */
  readonly heardBy: (webhook: Webhook) => Promise<Wanted>;
  readonly orderingKeyOf: OrderingKeyOf;
  /** Deliveries of this webhook were written. */
  readonly onWritten: (
    webhooks: readonly { tenant_id: string; webhook_id: string }[],
    /** The answer was lost: they may be written, now or in a moment. */
    inDoubt: boolean,
  ) => Promise<void>;
  readonly failpoint?: (name: "between_chunks") => void;
}

/** Events of a chunk: written in some milliseconds, and live traffic waits behind one chunk at most. */
const CHUNK = 200;
/** Of a dry run, which writes nothing. */
const COUNT_CHUNK = 2_000;
/** A chunk is written when no more than this of its webhook is due. */
const DUE_AT_MOST = 50;
/** How soon jobs that had to wait are looked at again. */
const WAIT_MS = 100;
const RETRY_MS = 500;
/** An event may be committed this long after the time in its id: what is not there yet would be passed over. */
const SETTLED_MS = 6_000;

/** How long somebody waits for a count. */
const COUNTED_FOR_MS = 2_000;

/** What of a job says which events are meant. */
type EventSearch = Pick<
  ReplayJobRow,
  | "id"
  | "tenant_id"
  | "webhook_id"
  | "from_id"
  | "before_id"
  | "cursor_id"
  | "livemode"
  | "which"
  | "filter"
  | "types"
  | "states"
>;

/** `ended`: nothing more to do for now. */
type Step = "moved" | "waits" | "ended";

/** What one look at the events brought. */
interface Found {
  readonly events: readonly { readonly id: string; readonly retention_class: number }[];
  readonly examinedCount: number;
  readonly lastUuid: string | null;
  readonly isLast: boolean;
}

export class ReplayRunner {
  readonly #options: ReplayRunnerOptions;
  readonly #wanted = new WeakMap<Webhook, Map<string, readonly Wanted[]>>();
  #running: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(options: ReplayRunnerOptions) {
    this.#options = options;
  }

  /** There may be jobs in this node's lanes. */
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

  /**
   * How many events a webhook missed in a time: what a replay of `missed` would bring. Exact, unless it is too much to be
   * counted while somebody waits.
   */
  async countMissed(webhook: Webhook, fromMs: number, toMs: number): Promise<{ count: number; isMore: boolean }> {
    const { clock } = this.#options;
    const endMs = clock.monotonicMs() + COUNTED_FOR_MS;
    let count = 0;
    let cursorUuid: string | null = null;
    for (;;) {
      const found: Found = await this.#find(missedBy(webhook, fromMs, toMs, cursorUuid), webhook, COUNT_CHUNK);
      count += found.events.length;
      cursorUuid = found.lastUuid ?? cursorUuid;
      if (found.isLast) return { count, isMore: false };
      if (clock.monotonicMs() > endMs) return { count, isMore: true };
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        const jobs = await selectRunningJobs(this.#options.db, this.#options.lanes());
        const steps: Step[] = [];
        for (const job of jobs) {
          if (this.#stopped) return;
          steps.push(await this.#step(job));
        }
        if (steps.includes("moved")) continue;
        if (steps.includes("waits")) this.#wakeIn(WAIT_MS);
        return;
      }
    } catch (error) {
      this.#options.log.warn({ err: error }, "a bulk replay failed; it goes on where it stands");
      this.#wakeIn(RETRY_MS);
    }
  }

  #wakeIn(ms: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.wake(), ms);
    this.#timer.unref();
  }

  async #step(job: ReplayJobRow): Promise<Step> {
    const { db, clock, identity, findWebhook, ownsLane } = this.#options;
    const webhook = await findWebhook(job.tenant_id, job.webhook_id);
    const problem = problemOf(webhook, job);
    if (webhook === null || problem !== null) {
      await failReplayJob(db, identity(), job, clock.nowMs(), problem ?? "The webhook does not exist.");
      return "ended";
    }
    if (!job.dry_run) {
      // Looked at again with the next beat.
      if (webhook.status === "paused" || !ownsLane(job.lane)) return "ended";
      if ((await countDue(db, job, clock.nowMs(), DUE_AT_MOST + 1)) > DUE_AT_MOST) return "waits";
    }
    const found = await this.#find(job, webhook, job.dry_run ? COUNT_CHUNK : CHUNK);
    const isUnsettled = clock.nowMs() < millisecondsOfUuid(job.before_id) + SETTLED_MS;
    if (found.isLast && job.which !== "owed" && !job.dry_run && isUnsettled) return "waits";
    return this.#write(job, webhook, found);
  }

  async #find(job: EventSearch, webhook: Webhook, limit: number): Promise<Found> {
    const { db } = this.#options;
    const fromUuid = job.cursor_id === null ? job.from_id : uuidAfter(job.cursor_id);
    const span = { fromUuid, beforeUuid: job.before_id };
    if (fromUuid >= job.before_id) return { events: [], examinedCount: 0, lastUuid: job.cursor_id, isLast: true };
    if (job.which === "owed") {
      const rows = await findEventsOfWebhook(
        db,
        job.tenant_id,
        {
          webhookUuid: job.webhook_id,
          places: job.states ?? OWED_PLACES,
          types: typesOf(job.types),
          reference: null,
          withPayload: true,
          span,
          order: "oldest_first",
        },
        limit,
      );
      const lastUuid = rows.at(-1)?.event_id ?? null;
      const events = job.filter === null ? rows.map(keyOf) : await this.#passing(job, webhook, rows);
      return { events, examinedCount: rows.length, lastUuid, isLast: rows.length < limit };
    }
    const rows = await selectEventsInSpan(db, job.tenant_id, span, limit);
    const wanted = await this.#wantedOf(job, webhook);
    const matched = rows.filter(
      (row) => row.livemode === job.livemode && row.erased_at === null && wanted.every((each) => each(eventOf(row))),
    );
    const owed =
      job.which === "missed" && matched.length > 0
        ? await selectOwedEvents(
            db,
            job.tenant_id,
            job.webhook_id,
            matched.map((row) => row.id),
          )
        : NONE;
    const events = matched.filter((row) => !owed.has(row.id));
    return { events, examinedCount: rows.length, lastUuid: rows.at(-1)?.id ?? null, isLast: rows.length < limit };
  }

  async #passing(
    job: EventSearch,
    webhook: Webhook,
    rows: readonly { event_id: string; retention_class: number }[],
  ): Promise<StoredEventRow[]> {
    if (rows.length === 0) return [];
    const events = await selectEventsByKeys(this.#options.db, job.tenant_id, rows);
    const wanted = await this.#wantedOf(job, webhook);
    return events.filter((event) => wanted.every((each) => each(eventOf(event))));
  }

  /** What was owed is asked for the job's own filter only; the rest must match the webhook as it is now, too. */
  async #wantedOf(job: EventSearch, webhook: Webhook): Promise<readonly Wanted[]> {
    let byJob = this.#wanted.get(webhook);
    if (byJob === undefined) {
      byJob = new Map();
      this.#wanted.set(webhook, byJob);
    }
    let wanted = byJob.get(job.id);
    if (wanted === undefined) {
      const { wantedBy, heardBy } = this.#options;
      const asked = wantedBy(webhook, job.types ?? ["*"], job.filter === null ? [] : [job.filter]);
      wanted = job.which === "owed" ? [asked] : [await heardBy(webhook), asked];
      byJob.set(job.id, wanted);
    }
    return wanted;
  }

  async #write(job: ReplayJobRow, webhook: Webhook, found: Found): Promise<Step> {
    const { db, clock, ids, identity, holdLanes, ownsLane, onWritten, orderingKeyOf, failpoint } = this.#options;
    const made = job.dry_run ? [] : found.events;
    const keys = await orderingKeysOf(db, webhook, made, orderingKeyOf);
    const deliveries = made.map((event, index) => ({
      idBytes: ids.next(),
      eventBytes: bytesOf(event.id),
      retentionClass: event.retention_class,
      orderingKey: keys[index] ?? null,
    }));
    const letGo = deliveries.length === 0 ? undefined : holdLanes([job.lane]);
    const rows = [{ tenant_id: job.tenant_id, webhook_id: job.webhook_id }];
    try {
      // Given away while the events were looked for: its new owner goes on.
      if (deliveries.length > 0 && !ownsLane(job.lane)) return "waits";
      const { moved, written } = await writeReplayChunk(db, identity(), clock.nowMs(), {
        job,
        cursorUuid: found.lastUuid ?? job.cursor_id,
        isLast: found.isLast,
        examinedCount: found.examinedCount,
        countedOnly: job.dry_run ? found.events.length : 0,
        webhookVersion: webhook.version,
        deliveries,
      });
      if (written > 0) await onWritten(rows, false);
      failpoint?.("between_chunks");
      return moved && !found.isLast ? "moved" : "ended";
    } catch (error) {
      if (deliveries.length > 0) await onWritten(rows, true);
      throw error;
    } finally {
      letGo?.();
    }
  }
}

/** A dry run that nobody stored. */
function missedBy(webhook: Webhook, fromMs: number, toMs: number, cursorUuid: string | null): EventSearch {
  return {
    id: "",
    tenant_id: webhook.tenantUuid,
    webhook_id: webhook.uuid,
    from_id: lowestUuid(fromMs),
    before_id: lowestUuid(toMs),
    cursor_id: cursorUuid,
    livemode: webhook.livemode,
    which: "missed",
    filter: null,
    types: null,
    states: null,
  };
}

const NONE: ReadonlySet<string> = new Set();
/** A pending one is on its way: replaying it would deliver it twice. */
const OWED_PLACES: readonly DeliveryPlace[] = ["delivered", "dead_letter", "cancelled"];

function problemOf(webhook: Webhook | null, job: ReplayJobRow): string | null {
  if (webhook === null || webhook.status === "deleted") return "The webhook was deleted meanwhile.";
  if (webhook.status === "disabled" && !job.dry_run) {
    return "The webhook was disabled meanwhile. Enable it, then start another replay from where this one stopped.";
  }
  return null;
}

function typesOf(patterns: readonly string[] | null): { exact: string[]; prefixes: string[] } | null {
  if (patterns === null || patterns.includes("*")) return null;
  const prefixes = patterns.filter((each) => each.endsWith("*")).map((each) => each.slice(0, -1));
  return { exact: patterns.filter((each) => !each.endsWith("*")), prefixes };
}

function keyOf(row: { event_id: string; retention_class: number }): { id: string; retention_class: number } {
  return { id: row.event_id, retention_class: row.retention_class };
}

function bytesOf(uuid: string): Uint8Array {
  return Buffer.from(uuid.replaceAll("-", ""), "hex");
}
