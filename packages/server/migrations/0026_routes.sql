-- Routes: ordered lists of when → webhooks, by which a tenant divides events between its webhooks. Forward only.
--
-- A row is one version, in force from one configuration version to the next; the one without an end is in force now. So what
-- was given to whom can be told long afterwards; a name that comes back goes on counting.
create table route (
  tenant_id           uuid        not null,
  created_at          timestamptz not null,
  from_config_version bigint      not null,
  to_config_version   bigint,
  version             integer     not null check (version > 0),
  livemode            boolean     not null, -- as its webhooks
  name                text        not null,
  created_by          text        not null,
  body                json        not null,
  primary key (tenant_id, livemode, name, version)
);
create unique index route_current on route (tenant_id, livemode, name) where to_config_version is null;

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
  foreach protected in array array['route'] loop
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
