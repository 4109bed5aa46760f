-- Tenancy and access: what managing tenants, keys and event types through the API needs. Forward only.

-- The key in the file operator.key beside a running embedded server: one row for an installation, written anew at each
-- start, so that what a killed server left in the file means nothing any more.
alter table api_key add column of_operator_file boolean not null default false;
create unique index api_key_operator_file on api_key (tenant_id) where of_operator_file;

-- The read keys of one webhook; few keys have one.
create index api_key_webhook on api_key (tenant_id, webhook_id) where webhook_id is not null;

-- Which tenants to read again: a tenant's version also rises when its event types change, because a type that was
-- removed leaves no row to find.
create index tenant_config_version on tenant (config_version);

-- The trail of one thing.
create index audit_entry_object on audit_entry (tenant_id, object_id, id);

-- A tenant's own administrator may change what is the tenant's own. Its name (unique among all tenants) and its limit
-- are the operator's, who works past this policy.
do $$
begin
  if exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'tenant' and 'posthorn_api' = any (roles)
  ) then
    grant update (config_version, retention_class, unknown_event_types) on tenant to posthorn_api;
    create policy tenant_change on tenant for update to posthorn_api
      using (id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid))
      with check (id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid));
  else
    create policy tenant_change on tenant for update
      using (id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid))
      with check (id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid));
  end if;
end $$;
