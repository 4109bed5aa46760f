-- Health of endpoints, and operational events. Forward only.
--
-- What the owner of a webhook's lane knows about the endpoint behind it, so that every node can answer and the next owner
-- can go on. Written when something changed, and every few seconds while something is wrong; never for each attempt.
create table webhook_health (
  tenant_id              uuid        not null,
  webhook_id             uuid        not null,
  since                  timestamptz not null,           -- when it came into its status
  open_until             timestamptz,                    -- while the breaker is open: when the first probe may go
  failing_since          timestamptz,                    -- the first failure since the last success; null when there is none
  last_success_at        timestamptz,
  last_failure_at        timestamptz,
  certificate_expires_at timestamptz,                    -- the receiver's, as seen in handshakes
  certificate_told_at    timestamptz,                    -- expiry that was warned of
  checked_at             timestamptz,                    -- the latest scheduled check
  failure_count          integer     not null default 0, -- in a row
  open_count             integer     not null default 0, -- how often the breaker opened since it was closed
  lane                   smallint    not null,
  score                  smallint    not null,           -- 0 to 100
  told_percent           smallint    not null default 0, -- of the time after which it is disabled: what was warned of
  status                 text        not null check (status in ('healthy', 'degraded', 'failing', 'unreachable')),
  told_status            text        not null default 'healthy', -- what operational events have said
  phase                  text        not null check (phase in ('closed', 'open', 'half_open', 'ramping')),
  open_reason            text        not null default 'failing' check (open_reason in ('failing', 'throttled')),
  reason                 text,                           -- why it is not healthy, in words
  primary key (tenant_id, webhook_id)
) with (fillfactor = 70);
-- What the next owner of a lane has to know, and what may have to be disabled.
create index webhook_health_troubled on webhook_health (lane) where status <> 'healthy' or phase <> 'closed';

-- The causes of operational events, written by the very statements that cause them. Upkeep makes an event of each, or of
-- many together (a bundle), and tells people; then they go.
create table operational_notice (
  tenant_id  uuid        not null,
  id         uuid        not null,
  at         timestamptz not null,
  webhook_id uuid,
  bundle_id  uuid,                 -- what becomes one event; null until it is decided
  raised_at  timestamptz,          -- the event is captured
  count      integer     not null default 1,
  livemode   boolean     not null,
  type       text        not null,
  detail     json        not null, -- what the event's object is made of
  primary key (tenant_id, id)
);

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
  foreach protected in array array['webhook_health', 'operational_notice'] loop
    execute format('alter table %I enable row level security', protected);
    execute format('alter table %I force row level security', protected);
    if with_roles then
      execute format('grant select, insert, update, delete on %I to posthorn_engine', protected);
      execute format('create policy engine on %I to posthorn_engine using (true) with check (true)', protected);
      execute format('create policy tenant on %I to posthorn_api using (%s) with check (%s)', protected, of_tenant, of_tenant);
    else
      execute format('create policy engine on %I using (%s) with check (%s)', protected, as_engine, as_engine);
      execute format('create policy tenant on %I using (%s) with check (%s)', protected, of_tenant, of_tenant);
    end if;
  end loop;
  if with_roles then
    grant select on webhook_health to posthorn_api;
    -- A webhook that is disabled by hand, a key that is skipped: the causes that the API writes.
    grant insert on operational_notice to posthorn_api;
  end if;
end $$;
