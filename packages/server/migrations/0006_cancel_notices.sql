-- Cancelling by hand. Forward only.
--
-- A delivery that was cancelled is gone from `delivery` at once, but the owner of its lane may have it in memory, where
-- it waits for its turn. The owner reads these notices with its beat, lets the delivery go, and deletes them.
create table cancel_notice (
  tenant_id   uuid     not null,
  delivery_id uuid     not null,
  webhook_id  uuid     not null,
  lane        smallint not null,
  primary key (tenant_id, delivery_id)
);

do $$
declare
  with_roles boolean := exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'attempt' and 'posthorn_engine' = any (roles)
  );
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
  as_engine text := $policy$(select current_setting('posthorn.engine', true)) = 'on'$policy$;
begin
  alter table cancel_notice enable row level security;
  alter table cancel_notice force row level security;
  if with_roles then
    grant select, insert, delete on cancel_notice to posthorn_engine;
    create policy engine on cancel_notice to posthorn_engine using (true) with check (true);
    grant select, insert on cancel_notice to posthorn_api;
    execute format('create policy tenant on cancel_notice to posthorn_api using (%s) with check (%s)', of_tenant, of_tenant);
  else
    execute format('create policy engine on cancel_notice using (%s) with check (%s)', as_engine, as_engine);
    execute format('create policy tenant on cancel_notice using (%s) with check (%s)', of_tenant, of_tenant);
  end if;
end $$;
