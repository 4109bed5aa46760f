-- Corrected payloads of deliveries that no receiver took. Forward only.
--
-- The event stays what it was. The latest correction of a delivery is what is sent in its place; each stays on record, for
-- as long as the event's retention class says.
create table correction (
  tenant_id       uuid        not null,
  id              uuid        not null,
  delivery_id     uuid        not null,
  event_id        uuid        not null,
  webhook_id      uuid        not null,
  corrected_at    timestamptz not null,
  retention_class smallint    not null, -- of the event
  corrected_by    text        not null,
  request_id      text        not null,
  note            text,
  changed         text[]      not null, -- JSON pointers into data and context
  data            bytea       not null,
  context         bytea,                -- null: the event's
  primary key (tenant_id, delivery_id, id)
);
create index correction_old on correction (retention_class, id);

-- What was sent instead of the event's own payload.
alter table attempt add column correction_id uuid;

do $$
declare
  with_roles boolean := exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'attempt' and 'posthorn_engine' = any (roles)
  );
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
  as_engine text := $policy$(select current_setting('posthorn.engine', true)) = 'on'$policy$;
begin
  alter table correction enable row level security;
  alter table correction force row level security;
  if with_roles then
    grant select, delete on correction to posthorn_engine;
    create policy engine on correction to posthorn_engine using (true) with check (true);
    grant select, insert on correction to posthorn_api;
    execute format('create policy tenant on correction to posthorn_api using (%s) with check (%s)', of_tenant, of_tenant);
  else
    execute format('create policy engine on correction using (%s) with check (%s)', as_engine, as_engine);
    execute format('create policy tenant on correction using (%s) with check (%s)', of_tenant, of_tenant);
  end if;
end $$;
