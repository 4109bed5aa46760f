-- Batches, digests and coalescing. Forward only.
--
-- A batch is written before its first request, with its members in their order; they carry its id from then on, wherever
-- they end. So a repeat after a crash has the same id and the same members, and a dead batch can be revived as one.

alter table batch add column kind text not null default 'batch' check (kind in ('batch', 'digest'));

-- Of a survivor of coalescing: how many events it stands for, itself among them, and the key that it is the last state
-- of. Null until it was let through. A later survivor finds by its key what still waits for a retry.
alter table delivery add column coalesced_count integer;
alter table delivery add column coalesce_key text;
create index delivery_coalesced on delivery (tenant_id, webhook_id, coalesce_key) where coalesce_key is not null;

-- shares_request: the request is counted with another member's attempt.
alter table attempt add column batch_id uuid;
alter table attempt add column shares_request boolean not null default false;
alter table dead_letter add column batch_id uuid;
alter table dead_letter add column coalesced_count integer;
alter table cancelled_delivery add column batch_id uuid;
-- The delivery that was sent in its place.
alter table cancelled_delivery add column superseded_by uuid;

do $$
declare
  with_roles boolean := exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'attempt' and 'posthorn_engine' = any (roles)
  );
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
begin
  -- A retry or a cancellation through the API means the whole batch.
  if with_roles then
    grant select on batch to posthorn_api;
    execute format('create policy tenant on batch to posthorn_api using (%s) with check (%s)', of_tenant, of_tenant);
  else
    execute format('create policy tenant on batch using (%s) with check (%s)', of_tenant, of_tenant);
  end if;
end $$;
