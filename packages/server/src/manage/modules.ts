// Who sends a tenant's events, as the API shows it: when each was heard last, how many usually come, who is silent.
import type pg from "pg";
import type { Clock } from "../lib/clock.ts";
import { hourOf, HOUR_MS, usualPerHour } from "../maintain/modules/habit.ts";
import { habitOf, HOURS_KEPT_MS } from "../maintain/modules/modules.ts";
import { selectModules } from "../maintain/modules/modules.sql.ts";
import { asTenant } from "../storage/pools.ts";

export interface ModuleView {
  readonly kind: "module" | "source";
  readonly name: string;
  readonly firstEventAt: string;
  readonly lastEventAt: string;
  /** Events of the latest whole hour. */
  readonly lastHour: number;
  /** Events that come in such an hour on this weekday; null while less than two weeks are known. */
  readonly usualPerHour: number | null;
  readonly silentSince: string | null;
}

export class Modules {
  readonly #options: { readonly api: pg.Pool; readonly clock: Clock };

  constructor(options: { readonly api: pg.Pool; readonly clock: Clock }) {
    this.#options = options;
  }

  /** All of them: there are 200 of a tenant at most. */
  async list(reader: { readonly tenantUuid: string; readonly livemode: boolean }): Promise<ModuleView[]> {
    const lastHourMs = hourOf(this.#options.clock.nowMs()) - HOUR_MS;
    const rows = await asTenant(this.#options.api, reader.tenantUuid, (db) =>
      selectModules(db, reader.tenantUuid, reader.livemode, lastHourMs - HOURS_KEPT_MS),
    );
    return rows.map((row) => {
      const habit = habitOf(row, 0);
      return {
        kind: row.kind,
        name: row.name,
        firstEventAt: new Date(row.first_ms).toISOString(),
        lastEventAt: new Date(row.last_ms).toISOString(),
        lastHour: habit.countOf(lastHourMs),
        usualPerHour: usualPerHour(habit, lastHourMs),
        silentSince: row.silent_since?.toISOString() ?? null,
      };
    });
  }
}
