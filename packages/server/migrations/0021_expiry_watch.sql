-- Deliveries that are about to expire. Forward only.

-- Up to which of a webhook's deliveries people were told that they are about to expire: those below the id. Few webhooks
-- have an expireAfter, and only those of which something was told have a row.
create table expiry_watch (
  tenant_id      uuid not null,
  webhook_id     uuid not null,
  told_before_id uuid not null,
  primary key (tenant_id, webhook_id)
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
  alter table expiry_watch enable row level security;
  alter table expiry_watch force row level security;
  if with_roles then
    grant select, insert, update, delete on expiry_watch to posthorn_engine;
    create policy engine on expiry_watch to posthorn_engine using (true) with check (true);
    execute format('create policy tenant on expiry_watch to posthorn_api using (%s) with check (%s)', of_tenant, of_tenant);
  else
    execute format('create policy engine on expiry_watch using (%s) with check (%s)', as_engine, as_engine);
    execute format('create policy tenant on expiry_watch using (%s) with check (%s)', of_tenant, of_tenant);
  end if;
end $$;
