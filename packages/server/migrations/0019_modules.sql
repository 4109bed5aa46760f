-- Who sends events, how many an hour, and who fell silent. Forward only.

-- A module (what the catalogue says that an event type is raised by) or a source (context.source), as it was heard.
create table module (
  tenant_id      uuid        not null,
  first_event_at timestamptz not null,
  last_event_at  timestamptz not null,
  silent_since   timestamptz,          -- its last event, while it is silent against its habit
  looked_at_hour timestamptz,          -- the hour for which it was judged
  livemode       boolean     not null,
  kind           text        not null check (kind in ('module', 'source')),
  name           text        not null,
  primary key (tenant_id, livemode, kind, name)
) with (fillfactor = 70);

-- Five weeks of hours: what its habit is read from.
create table module_hour (
  tenant_id uuid        not null,
  hour      timestamptz not null,
  count     bigint      not null,
  livemode  boolean     not null,
  kind      text        not null,
  name      text        not null,
  primary key (tenant_id, livemode, kind, name, hour)
) with (fillfactor = 70);

-- Since when events could be heard at all: while no node ran, nobody was silent.
create table module_watch (
  only_row       boolean     primary key default true check (only_row),
  watching_since timestamptz not null,
  watched_until  timestamptz not null
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
  foreach protected in array array['module', 'module_hour'] loop
    execute format('alter table %I enable row level security', protected);
    execute format('alter table %I force row level security', protected);
    if with_roles then
      execute format('grant select, insert, update, delete on %I to posthorn_engine', protected);
      execute format('create policy engine on %I to posthorn_engine using (true) with check (true)', protected);
      execute format('create policy tenant on %I to posthorn_api using (%s) with check (%s)', protected, of_tenant, of_tenant);
      execute format('grant select on %I to posthorn_api', protected);
    else
      execute format('create policy engine on %I using (%s) with check (%s)', protected, as_engine, as_engine);
      execute format('create policy tenant on %I using (%s) with check (%s)', protected, of_tenant, of_tenant);
    end if;
  end loop;
  if with_roles then
    grant select, insert, update on module_watch to posthorn_engine;
  end if;
end $$;
