-- Bulk replays as stored jobs. Forward only.
--
-- Which events a webhook is to get once more, and how far that has come. The owner of the webhook's lane works it off in
-- fenced chunks; each moves the cursor in the statement that writes the chunk's deliveries, so that a kill between two
-- chunks loses and doubles nothing, whoever goes on.
create table replay_job (
  tenant_id      uuid        not null,
  id             uuid        not null,
  webhook_id     uuid        not null,
  from_id        uuid        not null, -- of events, inclusive
  before_id      uuid        not null, -- exclusive
  cursor_id      uuid,                 -- events up to and with this one were looked at
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  finished_at    timestamptz,
  examined_count bigint      not null default 0,
  replayed_count bigint      not null default 0, -- of a dry run: those that would be
  lane           smallint    not null,
  livemode       boolean     not null,
  dry_run        boolean     not null,
  state          text        not null check (state in ('running', 'done', 'cancelled', 'failed')),
  which          text        not null check (which in ('owed', 'missed', 'all')),
  created_by     text        not null,
  request_id     text        not null,
  filter         text,
  problem        text,                 -- why it failed
  types          text[],               -- event types and patterns; null: all
  states         text[],               -- of what was owed: how it ended
  primary key (tenant_id, id)
) with (fillfactor = 70);
create index replay_job_running on replay_job (lane) where state = 'running';
create index replay_job_webhook on replay_job (tenant_id, webhook_id, id);

do $$
declare
  with_roles boolean := exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'attempt' and 'posthorn_engine' = any (roles)
  );
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
  as_engine text := $policy$(select current_setting('posthorn.engine', true)) = 'on'$policy$;
begin
  alter table replay_job enable row level security;
  alter table replay_job force row level security;
  if with_roles then
    grant select, insert, update on replay_job to posthorn_engine;
    create policy engine on replay_job to posthorn_engine using (true) with check (true);
    grant select, insert, update on replay_job to posthorn_api;
    execute format('create policy tenant on replay_job to posthorn_api using (%s) with check (%s)', of_tenant, of_tenant);
  else
    execute format('create policy engine on replay_job using (%s) with check (%s)', as_engine, as_engine);
    execute format('create policy tenant on replay_job using (%s) with check (%s)', of_tenant, of_tenant);
  end if;
end $$;
