// Keeps the organisation current by the platform's own events as they are captured: each is taken up right after its
// commit, and what a node that was killed left undone is taken up by the next one that starts or takes its lanes over.
import { idFromUuid, millisecondsOfId } from "@posthorn/contract";
import { lowestUuid } from "../../lib/id-bounds.ts";
import type { Log } from "../../lib/log.ts";
import { changeConfiguration, type ChangeOptions } from "../../manage/change.ts";
import { mergeWithStored, type OrganisationNews, storeMerged } from "../../manage/organisation-changes.ts";
import { confirmOrganisationEntries } from "../../manage/organisation.sql.ts";
import { inTransaction } from "../../storage/pools.ts";
import type pg from "pg";
import { selectFollowedEvents, selectTenantsWithOrganisation } from "./follow.sql.ts";
import { isOrganisationType, newsOfEvent, type OrganisationEvent } from "./news-of-event.ts";

export interface FollowOptions extends ChangeOptions {
  readonly engine: pg.Pool;
  readonly log: Log;
  /** Names of the event types that are looked for when something may have been left undone. */
  readonly typeNames: () => Iterable<string>;
}

/** A change of one tenant takes so many at most; the rest follows at once. */
const CHUNK = 1_000;
/** More than this waits for a database that is away: the next node that starts reads them from the table. */
const MAX_WAITING = 20_000;
const RETRY_MS = 500;
/** How far back is looked, and for how many events of a tenant: a killed node leaves those of a moment. */
const LOOK_BACK_MS = 86_400_000;
const LOOK_BACK_EVENTS = 500;

export class OrganisationFollower {
  readonly #options: FollowOptions;
  readonly #waiting = new Map<string, OrganisationNews[]>();
  #waitingCount = 0;
  #running: Promise<void> | undefined;
  #stopped = false;

  constructor(options: FollowOptions) {
    this.#options = options;
  }

  /** An event was stored. */
  stored(tenantUuid: string, event: OrganisationEvent): void {
    if (!isOrganisationType(event.type) || this.#stopped) return;
    const news = newsOfEvent(event);
    if (news === null || this.#waitingCount >= MAX_WAITING) return;
    this.#add(tenantUuid, news);
    this.#run();
  }

  /** Takes up what somebody may have left undone. */
  async catchUp(): Promise<void> {
    const { engine, clock, typeNames } = this.#options;
    const types = [...typeNames()].filter((type) => isOrganisationType(type));
    const fromUuid = lowestUuid(clock.nowMs() - LOOK_BACK_MS);
    for (const tenantUuid of await selectTenantsWithOrganisation(engine)) {
      if (this.#stopped) return;
      for (const row of await selectFollowedEvents(engine, tenantUuid, types, fromUuid, LOOK_BACK_EVENTS)) {
        const takenAt = new Date(millisecondsOfId("event", idFromUuid("event", row.id))).toISOString();
        const news = newsOfEvent({ ...row, timestamp: row.sent_timestamp ?? takenAt });
        if (news !== null) this.#add(tenantUuid, news);
      }
      this.#run();
      await this.#running;
    }
  }

  /** No more is taken; what waits is written. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  #add(tenantUuid: string, news: OrganisationNews): void {
    const list = this.#waiting.get(tenantUuid);
    if (list === undefined) this.#waiting.set(tenantUuid, [news]);
    else list.push(news);
    this.#waitingCount += 1;
  }

  #run(): void {
    this.#running ??= this.#writeAll().finally(() => {
      this.#running = undefined;
    });
  }

  async #writeAll(): Promise<void> {
    for (;;) {
      const [next] = this.#waiting;
      if (next === undefined) return;
      const [tenantUuid, waiting] = next;
      const news = waiting.splice(0, CHUNK);
      if (waiting.length === 0) this.#waiting.delete(tenantUuid);
      this.#waitingCount -= news.length;
      try {
        await this.#write(tenantUuid, news);
      } catch (error) {
        this.#options.log.warn({ err: error }, "news of the organisation could not be written and are tried again");
        if (this.#stopped) return;
        for (const each of news) this.#add(tenantUuid, each);
        await new Promise((resolve) => void setTimeout(resolve, RETRY_MS).unref());
      }
    }
  }

  async #write(tenantUuid: string, news: readonly OrganisationNews[]): Promise<void> {
    const { engine } = this.#options;
    const seen = await mergeWithStored(engine, tenantUuid, news);
    if (seen.changed.length === 0) {
      if (seen.confirmed.length > 0) await confirmOrganisationEntries(engine, tenantUuid, seen.confirmed);
      return;
    }
    await changeConfiguration(
      this.#options,
      (run) => inTransaction(engine, run),
      // Looked at again under the lock of the version, which puts all changes in order.
      async ({ db, configVersion }) =>
        storeMerged(db, tenantUuid, configVersion, await mergeWithStored(db, tenantUuid, news)),
    );
  }
}
