-- OAuth 2.0, Authorization Code with PKCE: programs of third parties that work for a tenant. Forward only.

-- A program that may ask. Its id is public, so whoever names it may read what the consent page shows of it.
create table oauth_client (
  tenant_id      uuid        not null,
  id             uuid        not null,
  created_at     timestamptz not null,
  config_version bigint      not null,
  name           text        not null,
  redirect_uris  text[]      not null check (cardinality(redirect_uris) > 0),
  scopes         text[]      not null check (cardinality(scopes) > 0),
  primary key (tenant_id, id)
);

-- What somebody allowed a program to do. Its access token is a row of api_key of the same id, whose text changes with
-- each refresh, so that a grant is one key in every list, limit and trail, however often its token is renewed.
create table oauth_grant (
  tenant_id      uuid        not null,
  id             uuid        not null,
  client_id      uuid        not null,
  granted_by     uuid        not null, -- the API key that allowed it; its end is the grant's end
  created_at     timestamptz not null,
  revoked_at     timestamptz,
  code_expires_at timestamptz not null,
  code_used_at   timestamptz,
  refresh_expires_at timestamptz,
  scopes         text[]      not null,
  code_hash      bytea       not null check (octet_length(code_hash) = 32),
  code_challenge text        not null,
  redirect_uri   text        not null,
  refresh_hash   bytea       check (octet_length(refresh_hash) = 32),
  used_refresh_hash bytea    check (octet_length(used_refresh_hash) = 32), -- the one before: using it again ends the grant
  primary key (tenant_id, id)
);
create unique index oauth_grant_code on oauth_grant (code_hash);
create unique index oauth_grant_refresh on oauth_grant (refresh_hash) where refresh_hash is not null;
create index oauth_grant_used_refresh on oauth_grant (used_refresh_hash) where used_refresh_hash is not null;
create index oauth_grant_client on oauth_grant (tenant_id, client_id);
create index oauth_grant_granted_by on oauth_grant (tenant_id, granted_by);

-- An access token among the keys.
alter table api_key add column of_oauth_grant boolean not null default false;

do $$
declare
  with_roles boolean := exists (
    select from pg_policies
    where schemaname = current_schema() and tablename = 'attempt' and 'posthorn_engine' = any (roles)
  );
  protected text;
  to_api text := case when with_roles then 'to posthorn_api' else '' end;
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
  as_engine text := $policy$(select current_setting('posthorn.engine', true)) = 'on'$policy$;
  named_client text := $policy$id = (select nullif(current_setting('posthorn.oauth_client_id', true), '')::uuid)$policy$;
  held text := $policy$(select decode(nullif(current_setting('posthorn.key_hash', true), ''), 'hex'))$policy$;
begin
  foreach protected in array array['oauth_client', 'oauth_grant'] loop
    execute format('alter table %I enable row level security', protected);
    execute format('alter table %I force row level security', protected);
    if with_roles then
      execute format('grant select, insert, update, delete on %I to posthorn_engine', protected);
      execute format('create policy engine on %I to posthorn_engine using (true) with check (true)', protected);
      execute format('grant select, insert, update, delete on %I to posthorn_api', protected);
    else
      execute format('create policy engine on %I using (%s) with check (%s)', protected, as_engine, as_engine);
    end if;
    execute format('create policy tenant on %I %s using (%s) with check (%s)', protected, to_api, of_tenant, of_tenant);
  end loop;
  -- Looked up before the tenant is known: a program by its public id, a grant by who holds its code or refresh token.
  execute format('create policy named on oauth_client for select %s using (%s)', to_api, named_client);
  execute format(
    'create policy holder on oauth_grant for select %s using (code_hash = %s or refresh_hash = %s or used_refresh_hash = %s)',
    to_api, held, held, held
  );
end $$;
