-- Snapshots: the records with which a new system is loaded for the first time. Forward only.
--
-- Each record becomes an event of its own, for one webhook only; what is not delivered yet of them stands in
-- snapshot_record in the order of the lines. The owner of the webhook's lane makes deliveries of them in fenced chunks, each
-- with the count in the statement that takes its records, so that a kill between two loses and doubles nothing.
create table snapshot (
  tenant_id          uuid        not null,
  id                 uuid        not null,
  webhook_id         uuid        not null,
  created_at         timestamptz not null,
  moved_at           timestamptz not null, -- the latest chunk; from it the next may be counted
  finished_at        timestamptz,
  received_count     bigint      not null default 0,
  made_count         bigint      not null default 0,
  records_per_second integer     not null check (records_per_second > 0),
  lane               smallint    not null,
  retention_class    smallint    not null,
  livemode           boolean     not null,
  is_complete        boolean     not null default false, -- no more records come
  state              text        not null check (state in ('running', 'done', 'cancelled', 'failed')),
  event_type         text        not null,
  token              text        not null, -- the client's own name for it
  created_by         text        not null,
  problem            text,                 -- why it failed
  primary key (tenant_id, id)
) with (fillfactor = 70);
create unique index snapshot_token on snapshot (tenant_id, webhook_id, token);
create index snapshot_running on snapshot (lane) where state = 'running';

create table snapshot_record (
  tenant_id       uuid     not null,
  snapshot_id     uuid     not null,
  event_id        uuid     not null,
  line            bigint   not null,
  retention_class smallint not null,
  primary key (tenant_id, snapshot_id, line)
);

-- Nobody else is to hear of it: replays of what other webhooks missed leave it out.
alter table event add column snapshot_id uuid;

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
  foreach protected in array array['snapshot', 'snapshot_record'] loop
    execute format('alter table %I enable row level security', protected);
    execute format('alter table %I force row level security', protected);
    if with_roles then
      execute format('grant select, insert, update, delete on %I to posthorn_engine', protected);
      execute format('create policy engine on %I to posthorn_engine using (true) with check (true)', protected);
      execute format('grant select, insert, update, delete on %I to posthorn_api', protected);
      execute format('create policy tenant on %I to posthorn_api using (%s) with check (%s)', protected, of_tenant, of_tenant);
    else
      execute format('create policy engine on %I using (%s) with check (%s)', protected, as_engine, as_engine);
      execute format('create policy tenant on %I using (%s) with check (%s)', protected, of_tenant, of_tenant);
    end if;
  end loop;
end $$;
