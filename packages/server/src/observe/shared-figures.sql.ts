// Statements that read what the whole installation owes and how its database is. Engine role, or the login itself.
import type { Executor } from "../storage/pools.ts";

export interface PendingRow {
  is_owned: boolean;
  state: "due" | "scheduled" | "held" | "paused";
  deliveries: number;
  oldest_due_s: number;
}

/**
 * Everything that is owed, by whether somebody works for its lane and by what it waits for. One pass over `delivery`,
 * which holds what is pending and nothing else; the caller asks seldom when that is much.
 */
export async function selectPending(db: Executor): Promise<PendingRow[]> {
  const { rows } = await db.query<PendingRow>({
    name: "select_pending_figures",
    text: `
select is_owned, state, count(*)::float8 as deliveries,
  greatest(0, extract(epoch from clock_timestamp() - min(due_at)))::float8 as oldest_due_s
from (
  select n.id is not null as is_owned, d.due_at,
    case
      when d.due_at = 'infinity' then 'held'
      when w.status = 'paused' then 'paused'
      when d.due_at > clock_timestamp() then 'scheduled'
      else 'due'
    end as state
  from delivery d
  join lane l on l.id = d.lane
  left join node n on n.id = l.node_id and n.alive
  left join webhook w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
) owed
group by is_owned, state`,
  });
  return rows.map((row) => (row.state === "due" ? row : { ...row, oldest_due_s: 0 }));
}

/** By primary key; nodes that died are few. */
export async function countNodes(db: Executor): Promise<{ alive: number; unowned_lanes: number }> {
  const { rows } = await db.query<{ alive: number; unowned_lanes: number }>({
    name: "count_nodes",
    text: `select (select count(*) from node where alive)::int4 as alive,
  (select count(*) from lane l where not exists (select from node n where n.id = l.node_id and n.alive))::int4
    as unowned_lanes`,
  });
  return rows[0] ?? { alive: 0, unowned_lanes: 0 };
}

export interface SnapshotHolder {
  /** How long it has kept the database from cleaning up. */
  age_s: number;
  /** What it is and how it is found; never its statement, which may hold a payload. */
  holder: string;
}

/**
 * The oldest transaction that pins the horizon, of this database: what was deleted after it began cannot be removed.
 * Others' rows of pg_stat_activity are only seen by a superuser or a member of pg_monitor.
 */
export async function selectOldestSnapshot(db: Executor): Promise<SnapshotHolder | null> {
  const { rows } = await db.query<SnapshotHolder>({
    name: "select_oldest_snapshot",
    text: `
select age_s, holder from (
  select extract(epoch from clock_timestamp() - xact_start)::float8 as age_s,
    format('process %s (%s, user %s, %s, %s)', pid, coalesce(nullif(application_name, ''), 'no name'), usename,
      coalesce(host(client_addr), 'local'), state) as holder
  from pg_stat_activity
  where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
    and xact_start is not null and (backend_xmin is not null or backend_xid is not null)
    and query !~* '^\\s*(auto)?vacuum'
  union all
  select extract(epoch from clock_timestamp() - prepared)::float8,
    format('prepared transaction %s of user %s', left(gid, 60), owner)
  from pg_prepared_xacts
  where database = current_database()
) held
order by age_s desc
limit 1`,
  });
  return rows[0] ?? null;
}

export interface DigestFailures {
  channel: "email" | "chat";
  tenants: number;
  oldest_s: number;
}

/** Tenants whose people cannot be told. A small table, read whole. */
export async function selectDigestFailures(db: Executor): Promise<DigestFailures[]> {
  const { rows } = await db.query<DigestFailures>({
    name: "select_digest_failures",
    text: `select channel, count(*)::int4 as tenants,
      greatest(0, extract(epoch from clock_timestamp() - min(failing_since)))::float8 as oldest_s
    from digest_channel
    where failing_since is not null
    group by channel`,
  });
  return rows;
}
