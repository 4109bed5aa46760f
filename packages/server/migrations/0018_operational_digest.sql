-- The operational digest: who is told by e-mail or chat what operational events say, and what waits to be told.
-- Forward only.

-- Where mail goes unless recipients were chosen, and on which clock people read times.
alter table tenant add column administrator_email text;
alter table tenant add column time_zone text not null default 'UTC';

-- One row for each way to tell a tenant's people, once it was set or used: recipients, and how telling goes.
create table digest_channel (
  tenant_id       uuid        not null,
  updated_at      timestamptz not null,
  sent_at         timestamptz,                    -- the latest digest that went out
  next_attempt_at timestamptz,                    -- not before: another node is at it, or it failed
  failing_since   timestamptz,
  failure_count   integer     not null default 0, -- in a row
  channel         text        not null check (channel in ('email', 'chat')),
  emails          text[],                         -- null: the administrator's address; empty: nobody
  chat_form       text        check (chat_form in ('text', 'card')),
  chat_host       text,                           -- all that is shown of the URL
  chat_ciphertext text        check (chat_ciphertext like 'v1.%'),
  problem         text,                           -- why the latest attempt failed, in words
  primary key (tenant_id, channel),
  check ((chat_ciphertext is null) = (chat_host is null))
) with (fillfactor = 70);

-- Operational events of the live mode that people were not told of yet; gone once they were. Empty at rest.
create table digest_entry (
  tenant_id  uuid        not null,
  id         uuid        not null, -- the bundle that the event was made of
  at         timestamptz not null, -- when it happened
  noted_at   timestamptz not null,
  webhook_id uuid,
  email_due  boolean     not null,
  chat_due   boolean     not null,
  type       text        not null,
  object     json        not null, -- of the event
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
  foreach protected in array array['digest_channel', 'digest_entry'] loop
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
    grant select, insert, update on digest_channel to posthorn_api;
    grant select on digest_entry to posthorn_api;
    grant update (administrator_email, time_zone) on tenant to posthorn_api;
  end if;
end $$;
