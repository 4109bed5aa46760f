-- Who and where: the companies, branches, locations, employees and users of a tenant, by which webhooks are restricted.
-- Forward only.
--
-- A row says what one of them was from one configuration version to the next; the one without an end is what it is now.
-- Gone ones keep a row that says so: nodes learn of it like of any other change.
create table organisation_entry (
  tenant_id   uuid        not null,
  valid_from  bigint      not null, -- configuration version
  valid_to    bigint,
  as_of       timestamptz not null, -- when it was so: what is older does not replace it
  is_removed  boolean     not null default false,
  kind        text        not null check (kind in ('company', 'branch', 'location', 'employee', 'user')),
  id          text        not null,
  name        text,
  parent_id   text,                 -- company of a branch, branch of a location, employee who is a user
  departments text[]      not null default '{}',
  teams       text[]      not null default '{}',
  primary key (tenant_id, kind, id, valid_from)
);
create unique index organisation_entry_current on organisation_entry (tenant_id, kind, id) where valid_to is null;
create index organisation_entry_changed on organisation_entry (valid_from) where valid_to is null;

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
  foreach protected in array array['organisation_entry'] loop
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
