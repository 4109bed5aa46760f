-- Figures of webhooks. Forward only.
--
-- Every statement that writes an attempt or a dead letter, or takes a dead letter back, adds what it changed to
-- rollup_tail: in the same statement, so that figures and rows can never disagree. Upkeep folds the tail into a row for
-- each webhook and minute and one for each webhook. Whatever was folded already, total + tail is what happened.
-- No clock decides what is counted: a result that comes an hour late is one more row of the tail.

-- What happened in one minute: attempts by the minute in which they started, dead letters by that of dead_at.
create table rollup (
  tenant_id         uuid        not null,
  webhook_id        uuid        not null,
  minute            timestamptz not null,
  last_delivered_at timestamptz,          -- when the last successful attempt ended
  duration_ms_sum   bigint      not null default 0, -- of answered attempts, whatever the status
  delivered_count   integer     not null default 0, -- deliveries that arrived, replays too
  failed_count      integer     not null default 0, -- dead letters, less those that were taken back by a retry
  attempt_delivered_count         integer not null default 0,
  attempt_rejected_count          integer not null default 0,
  attempt_throttled_count         integer not null default 0,
  attempt_gone_count              integer not null default 0,
  attempt_timed_out_count         integer not null default 0,
  attempt_connection_failed_count integer not null default 0,
  attempt_tls_failed_count        integer not null default 0,
  attempt_blocked_count           integer not null default 0,
  attempt_invalid_response_count  integer not null default 0,
  attempt_interrupted_count       integer not null default 0,
  under_10_ms_count    integer not null default 0, -- answered attempts by their duration
  under_25_ms_count    integer not null default 0, -- 10 to 25 ms, and so on
  under_50_ms_count    integer not null default 0,
  under_100_ms_count   integer not null default 0,
  under_250_ms_count   integer not null default 0,
  under_500_ms_count   integer not null default 0,
  under_1000_ms_count  integer not null default 0,
  under_2500_ms_count  integer not null default 0,
  under_5000_ms_count  integer not null default 0,
  under_10000_ms_count integer not null default 0,
  longer_count         integer not null default 0,
  primary key (tenant_id, webhook_id, minute)
) with (fillfactor = 70);

-- The same since the webhook was made: what retention dropped stays in it.
create table rollup_total (like rollup including defaults);
alter table rollup_total drop column minute, add primary key (tenant_id, webhook_id), set (fillfactor = 50);
do $$
declare
  counter text;
begin
  for counter in
    select attname from pg_attribute where attrelid = 'rollup_total'::regclass and attname like '%\_count'
  loop
    execute format('alter table rollup_total alter %I type bigint', counter);
  end loop;
end $$;

-- Not folded yet, one row for the results of a statement that have the first columns in common. Lives for seconds; upkeep
-- empties it. It stands in the way of every result, so it is narrow, and spread over rollup's columns only when folded.
create table rollup_tail (
  tenant_id         uuid        not null,
  webhook_id        uuid        not null,
  minute            timestamptz not null,
  id                uuid        not null,
  last_delivered_at timestamptz,
  duration_ms_sum   bigint      not null default 0,
  attempt_count     integer     not null default 0,
  delivered_count   integer     not null default 0,
  failed_count      integer     not null default 0, -- negative when a retry took dead letters back
  duration_bucket   smallint,                       -- place in rollup's list from 0; null: no answer, or no attempt
  outcome           text,                           -- null: no attempt
  primary key (tenant_id, webhook_id, id)
) with (autovacuum_vacuum_threshold = 5000, autovacuum_vacuum_scale_factor = 0, vacuum_truncate = off);

do $$
declare
  protected text;
  with_roles boolean := exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'attempt' and 'posthorn_engine' = any (roles)
  );
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
  as_engine text := $policy$(select current_setting('posthorn.engine', true)) = 'on'$policy$;
begin
  foreach protected in array array['rollup', 'rollup_total', 'rollup_tail'] loop
    execute format('alter table %I enable row level security', protected);
    execute format('alter table %I force row level security', protected);
    if with_roles then
      execute format('grant select, insert, update, delete on %I to posthorn_engine', protected);
      execute format('create policy engine on %I to posthorn_engine using (true) with check (true)', protected);
      execute format('grant select on %I to posthorn_api', protected);
      execute format('create policy tenant on %I to posthorn_api using (%s) with check (%s)', protected, of_tenant, of_tenant);
    else
      execute format('create policy engine on %I using (%s) with check (%s)', protected, as_engine, as_engine);
      execute format('create policy tenant on %I using (%s) with check (%s)', protected, of_tenant, of_tenant);
    end if;
  end loop;
  if with_roles then
    -- A retry through the API takes a dead letter back.
    grant insert on rollup_tail to posthorn_api;
    set local role posthorn_engine;
  else
    set local posthorn.engine = 'on';
  end if;

  -- What happened before there were figures.
  insert into rollup_tail (
    tenant_id, webhook_id, minute, outcome, duration_bucket, id, last_delivered_at, duration_ms_sum, attempt_count,
    delivered_count
  )
  select tenant_id, webhook_id, date_bin('1 minute', started_at, timestamptz 'epoch'), outcome,
    case
      when response_status is not null
      then width_bucket(duration_ms, array[10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000])
    end,
    gen_random_uuid(),
    max(started_at + duration_ms * interval '1 millisecond') filter (where ends_delivery and outcome = 'delivered'),
    sum(duration_ms), count(*), count(*) filter (where ends_delivery and outcome = 'delivered')
  from attempt
  group by 1, 2, 3, 4, 5;
  insert into rollup_tail (tenant_id, webhook_id, minute, id, failed_count)
  select tenant_id, webhook_id, date_bin('1 minute', dead_at, timestamptz 'epoch'), gen_random_uuid(), count(*)
  from dead_letter
  group by 1, 2, 3;
  reset role;
end $$;
