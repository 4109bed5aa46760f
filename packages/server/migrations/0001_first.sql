-- Posthorn, first migration. Forward only; a change is a new file.
--
-- Rules that every later migration keeps:
--   * the tenant stands first in the key of every data-plane table; no foreign keys between them, so that the tables
--     can be distributed by tenant (Citus) without a rewrite;
--   * ids are UUIDv7 made by the program, times are parameters, payloads are bytea exactly as received;
--   * history (event, attempt, dead_letter, cancelled_delivery) is partitioned by retention class, then by day of id,
--     and only whole partitions are ever dropped.

-- ---------------------------------------------------------------------------------------------------------------
-- Tenancy and access

create table tenant (
  id                       uuid        not null primary key,
  created_at               timestamptz not null,
  config_version           bigint      not null,
  capture_limit_per_second integer              check (capture_limit_per_second > 0),
  retention_class          smallint    not null default 90 check (retention_class in (7, 30, 90, 400, 3650)),
  unknown_event_types      text        not null default 'refused' check (unknown_event_types in ('refused', 'open')),
  name                     text        not null unique
);

create table company (
  tenant_id      uuid        not null,
  created_at     timestamptz not null,
  config_version bigint      not null,
  id             text        not null, -- company_…, also chosen by the platform (company_default)
  name           text        not null,
  primary key (tenant_id, id)
);

-- A key is kept as the SHA-256 of its text; 178 bits of randomness need no slow hash.
create table api_key (
  tenant_id                uuid        not null,
  id                       uuid        not null,
  created_at               timestamptz not null,
  expires_at               timestamptz,
  revoked_at               timestamptz,
  last_used_at             timestamptz,
  config_version           bigint      not null,
  webhook_id               uuid,                 -- a webhook's own read key
  capture_limit_per_second integer               check (capture_limit_per_second > 0),
  livemode                 boolean     not null,
  key_hash                 bytea       not null  check (octet_length(key_hash) = 32),
  name                     text        not null,
  last_characters          text        not null,
  company_id               text,
  scopes                   text[]      not null,
  allowed_ips              text[],
  primary key (tenant_id, id)
);
create unique index api_key_hash on api_key (key_hash);

-- The key that encrypts a tenant's secrets, itself wrapped by the master key: v1.<master key id>.<nonce>.<ct>.<tag>.
create table tenant_key (
  tenant_id   uuid        not null,
  id          uuid        not null,
  created_at  timestamptz not null,
  retired_at  timestamptz,
  wrapped_key text        not null check (wrapped_key like 'v1.%'),
  primary key (tenant_id, id)
);

-- Ciphertexts v1.<tenant key id>.<nonce>.<ct>.<tag>, AES-256-GCM; associated data tenant|table|column|row.
create table secret (
  tenant_id      uuid        not null,
  id             uuid        not null,
  webhook_id     uuid        not null,
  created_at     timestamptz not null,
  valid_until_at timestamptz,
  config_version bigint      not null,
  purpose        text        not null check (purpose in ('signing')),
  ciphertext     text        not null check (ciphertext like 'v1.%'),
  primary key (tenant_id, id)
);
create index secret_webhook on secret (tenant_id, webhook_id);

create table audit_entry (
  tenant_id   uuid        not null,
  id          uuid        not null,
  at          timestamptz not null,
  actor       text        not null, -- key_…, or node_… when the program itself acted
  action      text        not null, -- webhook.created
  object_type text        not null,
  object_id   text        not null,
  request_id  text,
  change      json,                 -- { field: { from, to } }, secrets masked
  primary key (tenant_id, id)
);

-- ---------------------------------------------------------------------------------------------------------------
-- Configuration. Every change raises the one config_version row in its own transaction; the row lock orders the
-- changes, so a reader that has seen version n has seen all changes up to n.

create table config_version (
  only_row boolean not null primary key default true check (only_row),
  version  bigint  not null
);
insert into config_version (version) values (1);

create table webhook (
  tenant_id       uuid        not null,
  id              uuid        not null,
  created_at      timestamptz not null,
  updated_at      timestamptz not null,
  disabled_at     timestamptz,
  deleted_at      timestamptz,
  config_version  bigint      not null,
  version         integer     not null check (version > 0),
  lane            smallint    not null check (lane between 0 and 255),
  livemode        boolean     not null,
  status          text        not null check (status in ('enabled', 'paused', 'disabled', 'deleted')),
  disabled_reason text                 check (disabled_reason in ('owner', 'endpoint_gone', 'health')),
  configuration   json        not null, -- json, not jsonb: the order of members is the administrator's
  primary key (tenant_id, id),
  check ((status = 'disabled') = (disabled_reason is not null)),
  check ((status = 'deleted') = (deleted_at is not null))
);
create index webhook_config_version on webhook (config_version);

-- What a webhook said from one config_version (inclusive) to another (exclusive): decides, long afterwards, why an
-- event was or was not sent. Status makes no version: its changes stand in audit_entry, with their config_version.
create table webhook_version (
  tenant_id          uuid        not null,
  webhook_id         uuid        not null,
  created_at         timestamptz not null,
  from_config_version bigint     not null,
  to_config_version  bigint,
  version            integer     not null,
  created_by         text        not null,
  configuration      json        not null,
  primary key (tenant_id, webhook_id, version)
);

-- Event types that a tenant registered beside the catalogue.
create table event_type (
  tenant_id       uuid        not null,
  created_at      timestamptz not null,
  config_version  bigint      not null,
  retention_class smallint             check (retention_class in (7, 30, 90, 400, 3650)),
  name            text        not null,
  description     text        not null,
  reference_path  text[],
  schema          json,
  example         json,
  primary key (tenant_id, name)
);

-- ---------------------------------------------------------------------------------------------------------------
-- Nodes and lanes

create table node (
  id          uuid        not null primary key,
  incarnation bigint      not null,
  beat        bigint      not null default 0,
  started_at  timestamptz not null,
  beat_at     timestamptz not null,
  process_id  integer     not null,
  alive       boolean     not null,
  version     text        not null,
  host        text        not null
) with (fillfactor = 50);

create table lane (
  id      smallint not null primary key check (id between 0 and 255),
  node_id uuid,
  epoch   bigint   not null default 0
) with (fillfactor = 50);
insert into lane (id) select generate_series(0, 255);

-- Drawn in the capture statement. No cache: two sessions would hand out blocks, and order would be theirs, not time's.
create sequence delivery_seq as bigint cache 1;

-- ---------------------------------------------------------------------------------------------------------------
-- Events

create table event (
  tenant_id       uuid     not null,
  id              uuid     not null,
  config_version  bigint   not null,
  delivery_count  integer  not null,
  retention_class smallint not null,
  livemode        boolean  not null,
  has_long_number boolean  not null, -- some number has more than 15 significant digits
  erased_at       timestamptz,       -- a data subject was erased: the bytes were overwritten, the row stays
  type            text     not null,
  sender_id       text,              -- the sender's own id, what receivers see instead of evt_…
  sent_timestamp  text,              -- the sender's timestamp; absent: the time in the id
  reference       text,              -- the business number, INV-00871
  ordering_key    text,
  data            bytea    not null, -- any JSON value, exactly as received
  context         bytea,
  primary key (tenant_id, retention_class, id)
) partition by list (retention_class);
-- Two secondary indexes on the ordinary insert path; the third holds only events that came with an id of their own.
create index event_type_time on event (tenant_id, type, id);
create index event_reference on event (tenant_id, reference, id) where reference is not null;
create index event_sender_id on event (tenant_id, sender_id) where sender_id is not null;

-- Idempotency, 24 hours by tenant and mode. Partitioned by hash, never by time: a unique key must hold across days.
create table event_key (
  tenant_id       uuid        not null,
  event_id        uuid        not null,
  expires_at      timestamptz not null,
  retention_class smallint    not null,
  livemode        boolean     not null,
  kind            text        not null check (kind in ('key', 'id')), -- an Idempotency-Key, or the sender's event id
  key             text        not null,
  request_hash    bytea       not null,
  primary key (tenant_id, key, kind, livemode)
) partition by hash (tenant_id, key);
do $$
begin
  for part in 0..15 loop
    execute format('create table event_key_%s partition of event_key for values with (modulus 16, remainder %s)', part, part);
  end loop;
end $$;

-- ---------------------------------------------------------------------------------------------------------------
-- Deliveries. `delivery` holds what is still owed and nothing else; it is narrow, hot and vacuumed by the program.
-- A delivery's id carries the millisecond of its event, so that an event's deliveries lie together in the primary key.

create table delivery (
  tenant_id       uuid        not null,
  id              uuid        not null,
  event_id        uuid        not null,
  webhook_id      uuid        not null,
  batch_id        uuid,
  seq             bigint      not null,
  due_at          timestamptz not null, -- infinity while held
  webhook_version integer     not null, -- the version that matched
  retention_class smallint    not null,
  lane            smallint    not null,
  attempt_count   smallint    not null default 0,
  policy_attempt_base smallint not null default 0, -- attempts made before the policy started afresh (a retried dead letter)
  handoff         boolean     not null default false,
  replayed        boolean     not null default false,
  next_trigger    text        not null default 'initial' check (next_trigger in ('initial', 'retry', 'manual', 'replay')),
  held_reason     text                 check (held_reason in ('paused', 'breaker_open', 'transformation_failed', 'key_parked')),
  ordering_key    text,
  primary key (tenant_id, id),
  check ((held_reason is null) = (due_at < 'infinity'))
) with (fillfactor = 80, autovacuum_enabled = off, vacuum_truncate = off);
-- The owner of a lane reads one webhook's deliveries in the order in which they fall due.
create index delivery_due on delivery (lane, webhook_id, due_at);
-- What another node left for the owner of the lane; empty at rest.
create index delivery_handoff on delivery (lane, seq) where handoff;
-- Replays carry their own time, so they are not found beside their event; empty at rest.
create index delivery_replayed on delivery (tenant_id, event_id) where replayed;

-- One request for many events: stored with its members before the first request, so that a repeat has the same id.
create table batch (
  tenant_id    uuid        not null,
  id           uuid        not null,
  webhook_id   uuid        not null,
  created_at   timestamptz not null,
  lane         smallint    not null,
  member_ids   uuid[]      not null, -- deliveries, in order
  primary key (tenant_id, id)
);
create index batch_lane on batch (lane, webhook_id);

-- More than 256 matches: the list is stored with its event and expanded in fenced chunks. Row id = event id.
create table fan_out (
  tenant_id       uuid       not null,
  id              uuid       not null,
  config_version  bigint     not null,
  seq              bigint     not null, -- one for all its deliveries: order matters within a webhook only
  next_index      integer    not null default 0,
  retention_class smallint   not null,
  lane            smallint   not null,
  webhook_ids     uuid[]     not null,
  webhook_versions integer[] not null,
  webhook_lanes   smallint[] not null,
  ordering_key    text,
  primary key (tenant_id, id)
);
create index fan_out_lane on fan_out (lane);

-- One HTTP try. A delivered attempt with ends_delivery is a delivery's terminal record.
create table attempt (
  tenant_id        uuid        not null,
  id               uuid        not null,
  delivery_id      uuid        not null,
  event_id         uuid        not null,
  webhook_id       uuid        not null,
  started_at       timestamptz not null,
  next_attempt_at  timestamptz,
  duration_ms      integer     not null,
  dns_ms           integer,
  connect_ms       integer,
  tls_ms           integer,
  first_byte_ms    integer,
  body_length      integer     not null, -- of the request
  webhook_version  integer     not null, -- whose url, headers and policy the attempt used
  retention_class  smallint    not null,
  number           smallint    not null,
  response_status  smallint,
  ends_delivery    boolean     not null,
  replayed         boolean     not null,
  response_truncated boolean   not null default false,
  trigger          text        not null check (trigger in ('initial', 'retry', 'manual', 'replay')),
  outcome          text        not null,
  outcome_code     text,                 -- ECONNREFUSED, CERT_HAS_EXPIRED
  url              text        not null,
  address          text,                 -- the address dialled
  body_hash        bytea,                -- SHA-256 of the request body
  response_headers text,
  response_body    bytea,                -- excerpt
  primary key (tenant_id, retention_class, id)
) partition by list (retention_class);
create index attempt_delivery on attempt (tenant_id, delivery_id);
create index attempt_delivered on attempt (tenant_id, webhook_id, delivery_id) where ends_delivery and outcome = 'delivered';
create index attempt_replayed on attempt (tenant_id, event_id) where replayed;

create table dead_letter (
  tenant_id       uuid        not null,
  id              uuid        not null, -- the delivery's
  event_id        uuid        not null,
  webhook_id      uuid        not null,
  seq             bigint      not null,
  dead_at         timestamptz not null,
  webhook_version integer     not null,
  retention_class smallint    not null,
  lane            smallint    not null,
  attempt_count   smallint    not null,
  replayed        boolean     not null,
  reason          text        not null check (reason in ('attempts_exhausted', 'endpoint_gone', 'webhook_disabled', 'rejected_permanently', 'expired')),
  ordering_key    text,
  primary key (tenant_id, retention_class, id)
) partition by list (retention_class);
create index dead_letter_webhook on dead_letter (tenant_id, webhook_id, id);
create index dead_letter_replayed on dead_letter (tenant_id, event_id) where replayed;

create table cancelled_delivery (
  tenant_id       uuid        not null,
  id              uuid        not null, -- the delivery's
  event_id        uuid        not null,
  webhook_id      uuid        not null,
  cancelled_at    timestamptz not null,
  webhook_version integer     not null,
  retention_class smallint    not null,
  attempt_count   smallint    not null,
  replayed        boolean     not null,
  reason          text        not null check (reason in ('webhook_deleted', 'requested', 'superseded')),
  primary key (tenant_id, retention_class, id)
) partition by list (retention_class);
create index cancelled_delivery_webhook on cancelled_delivery (tenant_id, webhook_id, id);
create index cancelled_delivery_replayed on cancelled_delivery (tenant_id, event_id) where replayed;

-- ---------------------------------------------------------------------------------------------------------------
-- Roles and row-level security. The API works as posthorn_api and sees one tenant, named in posthorn.tenant_id for
-- the length of a transaction; the stages and upkeep work as posthorn_engine. Where this server does not let us make
-- roles, the same rules are forced on the owner and posthorn.engine = 'on' stands for the engine.

do $$
declare
  with_roles boolean := true;
  protected text;
  engine_only text[] := array['event_key', 'node', 'lane', 'config_version', 'batch', 'fan_out'];
  of_tenant text := $policy$tenant_id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid)$policy$;
  as_engine text := $policy$(select current_setting('posthorn.engine', true)) = 'on'$policy$;
begin
  begin
    -- Roles belong to the whole server: another database of Posthorn may have made them, perhaps at this moment.
    begin
      create role posthorn_api nologin;
    exception when duplicate_object or unique_violation then null;
    end;
    begin
      create role posthorn_engine nologin;
    exception when duplicate_object or unique_violation then null;
    end;
    if not (select rolsuper from pg_roles where rolname = current_user) then
      execute format('grant posthorn_api, posthorn_engine to %I', current_user);
    end if;
  exception when insufficient_privilege then null;
  end;
  -- What counts is whether we may become them, however that came about.
  begin
    set local role posthorn_api;
    set local role posthorn_engine;
    reset role;
  exception when insufficient_privilege or invalid_parameter_value or undefined_object then
    with_roles := false;
  end;

  if with_roles then
    execute format('grant usage on schema %I to posthorn_api, posthorn_engine', current_schema());
    execute 'grant usage on sequence delivery_seq to posthorn_api, posthorn_engine';
  end if;

  foreach protected in array array[
    'company', 'api_key', 'tenant_key', 'secret', 'audit_entry', 'webhook', 'webhook_version', 'event_type', 'event',
    'event_key', 'delivery', 'batch', 'fan_out', 'attempt', 'dead_letter', 'cancelled_delivery'
  ] loop
    execute format('alter table %I enable row level security', protected);
    execute format('alter table %I force row level security', protected);
    if with_roles then
      execute format('grant select, insert, update, delete on %I to posthorn_engine', protected);
      execute format('create policy engine on %I to posthorn_engine using (true) with check (true)', protected);
      if not protected = any (engine_only) then
        execute format('grant select, insert, update, delete on %I to posthorn_api', protected);
        execute format('create policy tenant on %I to posthorn_api using (%s) with check (%s)', protected, of_tenant, of_tenant);
      end if;
    else
      execute format('create policy engine on %I using (%s) with check (%s)', protected, as_engine, as_engine);
      if not protected = any (engine_only) then
        execute format('create policy tenant on %I using (%s) with check (%s)', protected, of_tenant, of_tenant);
      end if;
    end if;
  end loop;

  -- History and the audit trail are only added to. (Erasing a data subject overwrites an event's bytes: an update.
  -- A retried dead letter goes back to pending: a delete.)
  if with_roles then
    revoke update, delete on audit_entry, attempt, cancelled_delivery from posthorn_api, posthorn_engine;
    revoke delete on event from posthorn_api, posthorn_engine;
    revoke update on dead_letter from posthorn_api, posthorn_engine;
  end if;

  -- A key is looked up before its tenant is known: only by someone who holds the key itself.
  if with_roles then
    create policy holder on api_key for select to posthorn_api
      using (key_hash = (select decode(nullif(current_setting('posthorn.key_hash', true), ''), 'hex')));
    grant select, insert, update, delete on tenant, node, lane, config_version to posthorn_engine;
    grant select on tenant to posthorn_api;
    grant select, update on config_version to posthorn_api;
    grant select on node, lane to posthorn_api;
  else
    create policy holder on api_key for select
      using (key_hash = (select decode(nullif(current_setting('posthorn.key_hash', true), ''), 'hex')));
  end if;
  -- tenant holds names of other tenants: the API sees its own row only.
  alter table tenant enable row level security;
  alter table tenant force row level security;
  if with_roles then
    create policy engine on tenant to posthorn_engine using (true) with check (true);
    create policy tenant on tenant for select to posthorn_api
      using (id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid));
  else
    execute format('create policy engine on tenant using (%s) with check (%s)', as_engine, as_engine);
    create policy tenant on tenant for select
      using (id = (select nullif(current_setting('posthorn.tenant_id', true), '')::uuid));
  end if;
end $$;
