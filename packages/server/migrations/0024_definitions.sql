-- Definitions: what a tenant names once and its expressions use by name: business rules (`rule.large_order`) and code
-- tables (`lookup("tax", code)`). Forward only.
--
-- Every change of one touches its tenant's row, by which nodes find out that they have to read them again. Versions stay when
-- a definition is removed, so that what a decision of long ago was made by can be told; a name that comes back goes on
-- counting.
create table definition (
  tenant_id      uuid        not null,
  created_at     timestamptz not null,
  updated_at     timestamptz not null,
  config_version bigint      not null,
  version        integer     not null check (version > 0),
  kind           text        not null check (kind in ('rule', 'code_table')),
  name           text        not null,
  body           json        not null,
  primary key (tenant_id, kind, name)
);

create table definition_version (
  tenant_id           uuid        not null,
  created_at          timestamptz not null,
  from_config_version bigint      not null,
  to_config_version   bigint,
  version             integer     not null check (version > 0),
  kind                text        not null check (kind in ('rule', 'code_table')),
  name                text        not null,
  created_by          text        not null,
  body                json        not null,
  primary key (tenant_id, kind, name, version)
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
  foreach protected in array array['definition', 'definition_version'] loop
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
