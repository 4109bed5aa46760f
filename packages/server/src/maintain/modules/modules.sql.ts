// Statements on who sends events. Engine role, all tenants; the last one is the tenant's own.
import { NEW_ID } from "../../storage/notices.sql.ts";
import type { Executor } from "../../storage/pools.ts";

export type ModuleKind = "module" | "source";

export interface HeardRow {
  readonly tenantUuid: string;
  readonly livemode: boolean;
  readonly kind: ModuleKind;
  readonly name: string;
  readonly hourMs: number;
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** Names beyond so many of a tenant are not kept: a sender that makes one up for each event would fill the table. */
const NAMES_OF_A_TENANT = 200;

/** Adds what was heard, by primary keys; in their order, so that two nodes never wait for each other. */
export async function addHeard(engine: Executor, rows: readonly HeardRow[]): Promise<void> {
  await engine.query({
    name: "add_heard_events",
    text: `
with heard as materialized (
  select h.* from unnest($1::uuid[], $2::bool[], $3::text[], $4::text[], $5::float8[], $6::int8[], $7::float8[], $8::float8[])
    as h (tenant_id, livemode, kind, name, hour_ms, count, first_ms, last_ms)
),
known as (
  insert into module as m (tenant_id, livemode, kind, name, first_event_at, last_event_at)
  select tenant_id, livemode, kind, name, to_timestamp(min(first_ms) / 1000), to_timestamp(max(last_ms) / 1000)
  from heard h
  where exists (select from module m where m.tenant_id = h.tenant_id and m.livemode = h.livemode and m.kind = h.kind
      and m.name = h.name)
    or (select count(*) from module m where m.tenant_id = h.tenant_id) < ${NAMES_OF_A_TENANT}
  group by tenant_id, livemode, kind, name
  order by tenant_id, livemode, kind, name
  on conflict (tenant_id, livemode, kind, name) do update
  set last_event_at = greatest(m.last_event_at, excluded.last_event_at)
  returning m.tenant_id, m.livemode, m.kind, m.name
)
insert into module_hour as mh (tenant_id, livemode, kind, name, hour, count)
select h.tenant_id, h.livemode, h.kind, h.name, to_timestamp(h.hour_ms / 1000), h.count
from heard h
join known k on k.tenant_id = h.tenant_id and k.livemode = h.livemode and k.kind = h.kind and k.name = h.name
order by 1, 2, 3, 4, 5
on conflict (tenant_id, livemode, kind, name, hour) do update set count = mh.count + excluded.count`,
    values: [
      rows.map((row) => row.tenantUuid),
      rows.map((row) => row.livemode),
      rows.map((row) => row.kind),
      rows.map((row) => row.name),
      rows.map((row) => row.hourMs),
      rows.map((row) => row.count),
      rows.map((row) => row.firstMs),
      rows.map((row) => row.lastMs),
    ],
  });
}

/** Says that events can be heard now; after a gap that is longer than `gapMs` it begins anew. Returns since when. */
export async function watchOn(engine: Executor, nowMs: number, gapMs: number): Promise<number> {
  const { rows } = await engine.query<{ since_ms: number }>({
    name: "watch_modules_on",
    text: `
insert into module_watch as w (watching_since, watched_until)
values (to_timestamp($1::float8 / 1000), to_timestamp($1::float8 / 1000))
on conflict (only_row) do update set
  watching_since = case
    when excluded.watched_until - w.watched_until > $2::float8 * interval '1 millisecond' then excluded.watched_until
    else w.watching_since
  end,
  watched_until = greatest(w.watched_until, excluded.watched_until)
returning extract(epoch from watching_since)::float8 * 1000 as since_ms`,
    values: [nowMs, gapMs],
  });
  return rows[0]?.since_ms ?? nowMs;
}

export interface ModuleRow {
  tenant_id: string;
  livemode: boolean;
  kind: ModuleKind;
  name: string;
  first_ms: number;
  last_ms: number;
  silent_since: Date | null;
  /** Hour (milliseconds) and count, in turn. */
  hours: readonly number[];
}

const HOURS = `coalesce((
    select array_agg(v.value order by mh.hour, v.place) from module_hour mh
    cross join lateral (values (1, extract(epoch from mh.hour)::float8 * 1000), (2, mh.count::float8)) as v (place, value)
    where mh.tenant_id = m.tenant_id and mh.livemode = m.livemode and mh.kind = m.kind and mh.name = m.name
      and mh.hour >= to_timestamp($1::float8 / 1000)
  ), '{}') as hours`;
const COLUMNS = `m.tenant_id, m.livemode, m.kind, m.name, extract(epoch from m.first_event_at)::float8 * 1000 as first_ms,
  extract(epoch from m.last_event_at)::float8 * 1000 as last_ms, m.silent_since, ${HOURS}`;

/**
 * Those that have to be judged in this hour: nothing came since some time, and they are not known to be silent. Marked in
 * the same statement, so each is judged once an hour, by one node.
 */
export async function takeQuietModules(
  engine: Executor,
  times: { readonly hoursFromMs: number; readonly hourMs: number; readonly quietSinceMs: number },
  limit: number,
): Promise<ModuleRow[]> {
  const { rows } = await engine.query<ModuleRow>({
    name: "take_quiet_modules",
    text: `
with taken as (
  update module m set looked_at_hour = to_timestamp($2::float8 / 1000)
  where (m.tenant_id, m.livemode, m.kind, m.name) in (
    select q.tenant_id, q.livemode, q.kind, q.name from module q
    where q.silent_since is null and q.last_event_at <= to_timestamp($3::float8 / 1000)
      and q.last_event_at > to_timestamp($1::float8 / 1000)
      and (q.looked_at_hour is null or q.looked_at_hour < to_timestamp($2::float8 / 1000))
    order by q.tenant_id, q.livemode, q.kind, q.name
    limit $4
  ) and (m.looked_at_hour is null or m.looked_at_hour < to_timestamp($2::float8 / 1000))
  returning m.tenant_id, m.livemode, m.kind, m.name, m.first_event_at, m.last_event_at, m.silent_since
)
select ${COLUMNS} from taken m`,
    values: [times.hoursFromMs, times.hourMs, times.quietSinceMs, limit],
  });
  return rows;
}

/** Marks one as silent and notes it for an event, unless something came meanwhile. By primary key. */
export async function markSilent(engine: Executor, row: ModuleRow, nowMs: number, usual: number | null): Promise<void> {
  await engine.query({
    name: "mark_module_silent",
    text: `
with silent as (
  update module set silent_since = last_event_at
  where tenant_id = $1 and livemode = $2 and kind = $3 and name = $4 and silent_since is null
    and last_event_at <= to_timestamp($5::float8 / 1000) + interval '1 millisecond'
  returning tenant_id, livemode, kind, name, last_event_at
)
insert into operational_notice (tenant_id, id, at, bundle_id, livemode, type, detail)
select tenant_id, n.new_id, to_timestamp($6::float8 / 1000), n.new_id, livemode, 'module.silent',
  json_build_object('kind', kind, 'name', name, 'lastEventAt', last_event_at, 'usualPerHour', $7::float8)
from (select *, ${NEW_ID} from silent) n`,
    values: [row.tenant_id, row.livemode, row.kind, row.name, row.last_ms, nowMs, usual],
  });
}

/** Those that were silent and are heard again: noted once each. A small table, read whole. */
export async function markResumed(engine: Executor, nowMs: number): Promise<void> {
  await engine.query({
    name: "mark_modules_resumed",
    text: `
with resumed as (
  update module m set silent_since = null
  from module before
  where m.silent_since is not null and m.last_event_at > m.silent_since
    and before.tenant_id = m.tenant_id and before.livemode = m.livemode and before.kind = m.kind and before.name = m.name
    and before.silent_since is not null
  returning m.tenant_id, m.livemode, m.kind, m.name, m.last_event_at, before.silent_since
)
insert into operational_notice (tenant_id, id, at, bundle_id, livemode, type, detail)
select tenant_id, n.new_id, to_timestamp($1::float8 / 1000), n.new_id, livemode, 'module.resumed',
  json_build_object('kind', kind, 'name', name, 'lastEventAt', last_event_at, 'silentSince', silent_since)
from (select *, ${NEW_ID} from resumed) n`,
    values: [nowMs],
  });
}

/** Removes hours that no habit is read from, and names that were not heard for as long. A scan, once an hour at most. */
export async function dropOldHours(engine: Executor, beforeMs: number): Promise<void> {
  await engine.query({
    name: "drop_old_module_hours",
    text: `with gone as (delete from module where last_event_at < to_timestamp($1::float8 / 1000))
      delete from module_hour where hour < to_timestamp($1::float8 / 1000)`,
    values: [beforeMs],
  });
}

/** All of one tenant and mode, by name, by primary key. API role, under row-level security. */
export async function selectModules(
  db: Executor,
  tenantUuid: string,
  livemode: boolean,
  hoursFromMs: number,
): Promise<ModuleRow[]> {
  const { rows } = await db.query<ModuleRow>({
    name: "select_modules",
    text: `select ${COLUMNS} from module m where m.tenant_id = $2 and m.livemode = $3 order by m.kind, m.name`,
    values: [hoursFromMs, tenantUuid, livemode],
  });
  return rows;
}
