-- The schema that the migrations make, read back from the catalogue. Generated: node scripts/schema.mjs --write
-- History partitions (event_c90, event_c90_20261123, …) come and go with time and are left out.

create sequence delivery_seq as bigint increment by 1 cache 1;

create table api_key (
  tenant_id uuid not null,
  id uuid not null,
  created_at timestamp with time zone not null,
  expires_at timestamp with time zone,
  revoked_at timestamp with time zone,
  last_used_at timestamp with time zone,
  config_version bigint not null,
  webhook_id uuid,
  capture_limit_per_second integer,
  livemode boolean not null,
  key_hash bytea not null,
  name text not null,
  last_characters text not null,
  company_id text,
  scopes text[] not null,
  allowed_ips text[],
  of_operator_file boolean not null default false,
  of_oauth_grant boolean not null default false,
  constraint api_key_pkey PRIMARY KEY (tenant_id, id),
  constraint api_key_capture_limit_per_second_check CHECK ((capture_limit_per_second > 0)),
  constraint api_key_key_hash_check CHECK ((octet_length(key_hash) = 32))
);
CREATE UNIQUE INDEX api_key_hash ON api_key USING btree (key_hash);
CREATE UNIQUE INDEX api_key_operator_file ON api_key USING btree (tenant_id) WHERE of_operator_file;
CREATE INDEX api_key_webhook ON api_key USING btree (tenant_id, webhook_id) WHERE (webhook_id IS NOT NULL);
alter table api_key enable row level security;
alter table api_key force row level security;
create policy engine on api_key as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy holder on api_key as permissive for select to posthorn_api
  using ((key_hash = ( SELECT decode(NULLIF(current_setting('posthorn.key_hash'::text, true), ''::text), 'hex'::text) AS decode)));
create policy tenant on api_key as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table attempt (
  tenant_id uuid not null,
  id uuid not null,
  delivery_id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  started_at timestamp with time zone not null,
  next_attempt_at timestamp with time zone,
  duration_ms integer not null,
  dns_ms integer,
  connect_ms integer,
  tls_ms integer,
  first_byte_ms integer,
  body_length integer not null,
  webhook_version integer not null,
  retention_class smallint not null,
  number smallint not null,
  response_status smallint,
  ends_delivery boolean not null,
  replayed boolean not null,
  response_truncated boolean not null default false,
  trigger text not null,
  outcome text not null,
  outcome_code text,
  url text not null,
  address text,
  body_hash bytea,
  response_headers text,
  response_body bytea,
  warnings json,
  external_id text,
  extracted json,
  batch_id uuid,
  shares_request boolean not null default false,
  correction_id uuid,
  constraint attempt_pkey PRIMARY KEY (tenant_id, retention_class, id),
  constraint attempt_trigger_check CHECK ((trigger = ANY (ARRAY['initial'::text, 'retry'::text, 'manual'::text, 'replay'::text])))
) partition by LIST (retention_class);
CREATE INDEX attempt_delivered ON attempt USING btree (tenant_id, webhook_id, delivery_id) WHERE (ends_delivery AND (outcome = 'delivered'::text));
CREATE INDEX attempt_delivery ON attempt USING btree (tenant_id, delivery_id);
CREATE INDEX attempt_external_id ON attempt USING btree (tenant_id, external_id) WHERE (external_id IS NOT NULL);
CREATE INDEX attempt_replayed ON attempt USING btree (tenant_id, event_id) WHERE replayed;
alter table attempt enable row level security;
alter table attempt force row level security;
create policy engine on attempt as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on attempt as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table audit_entry (
  tenant_id uuid not null,
  id uuid not null,
  at timestamp with time zone not null,
  actor text not null,
  action text not null,
  object_type text not null,
  object_id text not null,
  request_id text,
  change json,
  constraint audit_entry_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX audit_entry_object ON audit_entry USING btree (tenant_id, object_id, id);
alter table audit_entry enable row level security;
alter table audit_entry force row level security;
create policy engine on audit_entry as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on audit_entry as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table batch (
  tenant_id uuid not null,
  id uuid not null,
  webhook_id uuid not null,
  created_at timestamp with time zone not null,
  lane smallint not null,
  member_ids uuid[] not null,
  kind text not null default 'batch'::text,
  constraint batch_pkey PRIMARY KEY (tenant_id, id),
  constraint batch_kind_check CHECK ((kind = ANY (ARRAY['batch'::text, 'digest'::text])))
);
CREATE INDEX batch_lane ON batch USING btree (lane, webhook_id);
alter table batch enable row level security;
alter table batch force row level security;
create policy engine on batch as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on batch as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table cancel_notice (
  tenant_id uuid not null,
  delivery_id uuid not null,
  webhook_id uuid not null,
  lane smallint not null,
  constraint cancel_notice_pkey PRIMARY KEY (tenant_id, delivery_id)
);
alter table cancel_notice enable row level security;
alter table cancel_notice force row level security;
create policy engine on cancel_notice as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on cancel_notice as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table cancelled_delivery (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  cancelled_at timestamp with time zone not null,
  webhook_version integer not null,
  retention_class smallint not null,
  attempt_count smallint not null,
  replayed boolean not null,
  reason text not null,
  batch_id uuid,
  superseded_by uuid,
  constraint cancelled_delivery_pkey PRIMARY KEY (tenant_id, retention_class, id),
  constraint cancelled_delivery_reason_check CHECK ((reason = ANY (ARRAY['webhook_deleted'::text, 'requested'::text, 'superseded'::text])))
) partition by LIST (retention_class);
CREATE INDEX cancelled_delivery_replayed ON cancelled_delivery USING btree (tenant_id, event_id) WHERE replayed;
CREATE INDEX cancelled_delivery_webhook ON cancelled_delivery USING btree (tenant_id, webhook_id, id);
alter table cancelled_delivery enable row level security;
alter table cancelled_delivery force row level security;
create policy engine on cancelled_delivery as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on cancelled_delivery as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table company (
  tenant_id uuid not null,
  created_at timestamp with time zone not null,
  config_version bigint not null,
  id text not null,
  name text not null,
  constraint company_pkey PRIMARY KEY (tenant_id, id)
);
alter table company enable row level security;
alter table company force row level security;
create policy engine on company as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on company as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table config_version (
  only_row boolean not null default true,
  version bigint not null,
  constraint config_version_pkey PRIMARY KEY (only_row),
  constraint config_version_only_row_check CHECK (only_row)
);

create table correction (
  tenant_id uuid not null,
  id uuid not null,
  delivery_id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  corrected_at timestamp with time zone not null,
  retention_class smallint not null,
  corrected_by text not null,
  request_id text not null,
  note text,
  changed text[] not null,
  data bytea not null,
  context bytea,
  constraint correction_pkey PRIMARY KEY (tenant_id, delivery_id, id)
);
CREATE INDEX correction_old ON correction USING btree (retention_class, id);
alter table correction enable row level security;
alter table correction force row level security;
create policy engine on correction as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on correction as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table dead_letter (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  seq bigint not null,
  dead_at timestamp with time zone not null,
  webhook_version integer not null,
  retention_class smallint not null,
  lane smallint not null,
  attempt_count smallint not null,
  replayed boolean not null,
  reason text not null,
  ordering_key text,
  batch_id uuid,
  coalesced_count integer,
  constraint dead_letter_pkey PRIMARY KEY (tenant_id, retention_class, id),
  constraint dead_letter_reason_check CHECK ((reason = ANY (ARRAY['attempts_exhausted'::text, 'endpoint_gone'::text, 'webhook_disabled'::text, 'rejected_permanently'::text, 'expired'::text, 'skipped'::text])))
) partition by LIST (retention_class);
CREATE INDEX dead_letter_replayed ON dead_letter USING btree (tenant_id, event_id) WHERE replayed;
CREATE INDEX dead_letter_webhook ON dead_letter USING btree (tenant_id, webhook_id, id);
alter table dead_letter enable row level security;
alter table dead_letter force row level security;
create policy engine on dead_letter as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on dead_letter as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table definition (
  tenant_id uuid not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  config_version bigint not null,
  version integer not null,
  kind text not null,
  name text not null,
  body json not null,
  constraint definition_pkey PRIMARY KEY (tenant_id, kind, name),
  constraint definition_kind_check CHECK ((kind = ANY (ARRAY['rule'::text, 'code_table'::text]))),
  constraint definition_version_check CHECK ((version > 0))
);
alter table definition enable row level security;
alter table definition force row level security;
create policy engine on definition as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on definition as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table definition_version (
  tenant_id uuid not null,
  created_at timestamp with time zone not null,
  from_config_version bigint not null,
  to_config_version bigint,
  version integer not null,
  kind text not null,
  name text not null,
  created_by text not null,
  body json not null,
  constraint definition_version_pkey PRIMARY KEY (tenant_id, kind, name, version),
  constraint definition_version_kind_check CHECK ((kind = ANY (ARRAY['rule'::text, 'code_table'::text]))),
  constraint definition_version_version_check CHECK ((version > 0))
);
alter table definition_version enable row level security;
alter table definition_version force row level security;
create policy engine on definition_version as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on definition_version as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table delivery (
  tenant_id uuid not null,
  id uuid not null,
  event_id uuid not null,
  webhook_id uuid not null,
  batch_id uuid,
  seq bigint not null,
  due_at timestamp with time zone not null,
  webhook_version integer not null,
  retention_class smallint not null,
  lane smallint not null,
  attempt_count smallint not null default 0,
  policy_attempt_base smallint not null default 0,
  handoff boolean not null default false,
  replayed boolean not null default false,
  next_trigger text not null default 'initial'::text,
  held_reason text,
  ordering_key text,
  coalesced_count integer,
  coalesce_key text,
  held_at timestamp with time zone,
  constraint delivery_pkey PRIMARY KEY (tenant_id, id),
  constraint delivery_check CHECK (((held_reason IS NULL) = (due_at < 'infinity'::timestamp with time zone))),
  constraint delivery_held_reason_check CHECK ((held_reason = ANY (ARRAY['paused'::text, 'breaker_open'::text, 'transformation_failed'::text, 'key_parked'::text]))),
  constraint delivery_next_trigger_check CHECK ((next_trigger = ANY (ARRAY['initial'::text, 'retry'::text, 'manual'::text, 'replay'::text])))
) with (autovacuum_enabled=off, fillfactor=80, vacuum_truncate=off);
CREATE INDEX delivery_coalesced ON delivery USING btree (tenant_id, webhook_id, coalesce_key) WHERE (coalesce_key IS NOT NULL);
CREATE INDEX delivery_due ON delivery USING btree (lane, webhook_id, due_at);
CREATE INDEX delivery_handoff ON delivery USING btree (lane, seq) WHERE handoff;
CREATE INDEX delivery_key_held ON delivery USING btree (tenant_id, webhook_id, seq) WHERE ((held_reason IS NOT NULL) AND (ordering_key IS NOT NULL));
CREATE INDEX delivery_ordered ON delivery USING btree (tenant_id, webhook_id, ordering_key, seq) WHERE (ordering_key IS NOT NULL);
CREATE INDEX delivery_replayed ON delivery USING btree (tenant_id, event_id) WHERE replayed;
alter table delivery enable row level security;
alter table delivery force row level security;
create policy engine on delivery as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on delivery as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table digest_channel (
  tenant_id uuid not null,
  updated_at timestamp with time zone not null,
  sent_at timestamp with time zone,
  next_attempt_at timestamp with time zone,
  failing_since timestamp with time zone,
  failure_count integer not null default 0,
  channel text not null,
  emails text[],
  chat_form text,
  chat_host text,
  chat_ciphertext text,
  problem text,
  constraint digest_channel_pkey PRIMARY KEY (tenant_id, channel),
  constraint digest_channel_channel_check CHECK ((channel = ANY (ARRAY['email'::text, 'chat'::text]))),
  constraint digest_channel_chat_ciphertext_check CHECK ((chat_ciphertext ~~ 'v1.%'::text)),
  constraint digest_channel_chat_form_check CHECK ((chat_form = ANY (ARRAY['text'::text, 'card'::text]))),
  constraint digest_channel_check CHECK (((chat_ciphertext IS NULL) = (chat_host IS NULL)))
) with (fillfactor=70);
alter table digest_channel enable row level security;
alter table digest_channel force row level security;
create policy engine on digest_channel as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on digest_channel as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table digest_entry (
  tenant_id uuid not null,
  id uuid not null,
  at timestamp with time zone not null,
  noted_at timestamp with time zone not null,
  webhook_id uuid,
  email_due boolean not null,
  chat_due boolean not null,
  type text not null,
  object json not null,
  constraint digest_entry_pkey PRIMARY KEY (tenant_id, id)
);
alter table digest_entry enable row level security;
alter table digest_entry force row level security;
create policy engine on digest_entry as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on digest_entry as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table event (
  tenant_id uuid not null,
  id uuid not null,
  config_version bigint not null,
  delivery_count integer not null,
  retention_class smallint not null,
  livemode boolean not null,
  has_long_number boolean not null,
  erased_at timestamp with time zone,
  type text not null,
  sender_id text,
  sent_timestamp text,
  reference text,
  ordering_key text,
  data bytea not null,
  context bytea,
  trace_context text,
  snapshot_id uuid,
  constraint event_pkey PRIMARY KEY (tenant_id, retention_class, id)
) partition by LIST (retention_class);
CREATE INDEX event_reference ON event USING btree (tenant_id, reference, id) WHERE (reference IS NOT NULL);
CREATE INDEX event_sender_id ON event USING btree (tenant_id, sender_id) WHERE (sender_id IS NOT NULL);
CREATE INDEX event_type_time ON event USING btree (tenant_id, type, id);
alter table event enable row level security;
alter table event force row level security;
create policy engine on event as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on event as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table event_key (
  tenant_id uuid not null,
  event_id uuid not null,
  expires_at timestamp with time zone not null,
  retention_class smallint not null,
  livemode boolean not null,
  kind text not null,
  key text not null,
  request_hash bytea not null,
  constraint event_key_pkey PRIMARY KEY (tenant_id, key, kind, livemode),
  constraint event_key_kind_check CHECK ((kind = ANY (ARRAY['key'::text, 'id'::text])))
) partition by HASH (tenant_id, key);
alter table event_key enable row level security;
alter table event_key force row level security;
create policy engine on event_key as permissive for all to posthorn_engine
  using (true)
  with check (true);

create table event_key_0 partition of event_key FOR VALUES WITH (modulus 16, remainder 0);

create table event_key_1 partition of event_key FOR VALUES WITH (modulus 16, remainder 1);

create table event_key_10 partition of event_key FOR VALUES WITH (modulus 16, remainder 10);

create table event_key_11 partition of event_key FOR VALUES WITH (modulus 16, remainder 11);

create table event_key_12 partition of event_key FOR VALUES WITH (modulus 16, remainder 12);

create table event_key_13 partition of event_key FOR VALUES WITH (modulus 16, remainder 13);

create table event_key_14 partition of event_key FOR VALUES WITH (modulus 16, remainder 14);

create table event_key_15 partition of event_key FOR VALUES WITH (modulus 16, remainder 15);

create table event_key_2 partition of event_key FOR VALUES WITH (modulus 16, remainder 2);

create table event_key_3 partition of event_key FOR VALUES WITH (modulus 16, remainder 3);

create table event_key_4 partition of event_key FOR VALUES WITH (modulus 16, remainder 4);

create table event_key_5 partition of event_key FOR VALUES WITH (modulus 16, remainder 5);

create table event_key_6 partition of event_key FOR VALUES WITH (modulus 16, remainder 6);

create table event_key_7 partition of event_key FOR VALUES WITH (modulus 16, remainder 7);

create table event_key_8 partition of event_key FOR VALUES WITH (modulus 16, remainder 8);

create table event_key_9 partition of event_key FOR VALUES WITH (modulus 16, remainder 9);

create table event_type (
  tenant_id uuid not null,
  created_at timestamp with time zone not null,
  config_version bigint not null,
  retention_class smallint,
  name text not null,
  description text not null,
  reference_path text[],
  schema json,
  example json,
  constraint event_type_pkey PRIMARY KEY (tenant_id, name),
  constraint event_type_retention_class_check CHECK ((retention_class = ANY (ARRAY[7, 30, 90, 400, 3650])))
);
alter table event_type enable row level security;
alter table event_type force row level security;
create policy engine on event_type as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on event_type as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table expiry_watch (
  tenant_id uuid not null,
  webhook_id uuid not null,
  told_before_id uuid not null,
  constraint expiry_watch_pkey PRIMARY KEY (tenant_id, webhook_id)
);
alter table expiry_watch enable row level security;
alter table expiry_watch force row level security;
create policy engine on expiry_watch as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on expiry_watch as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table fan_out (
  tenant_id uuid not null,
  id uuid not null,
  config_version bigint not null,
  seq bigint not null,
  next_index integer not null default 0,
  retention_class smallint not null,
  lane smallint not null,
  webhook_ids uuid[] not null,
  webhook_versions integer[] not null,
  webhook_lanes smallint[] not null,
  ordering_key text,
  constraint fan_out_pkey PRIMARY KEY (tenant_id, id)
);
CREATE INDEX fan_out_lane ON fan_out USING btree (lane);
alter table fan_out enable row level security;
alter table fan_out force row level security;
create policy engine on fan_out as permissive for all to posthorn_engine
  using (true)
  with check (true);

create table lane (
  id smallint not null,
  node_id uuid,
  epoch bigint not null default 0,
  unclean boolean not null default false,
  constraint lane_pkey PRIMARY KEY (id),
  constraint lane_id_check CHECK (((id >= 0) AND (id <= 255)))
) with (fillfactor=50);

create table module (
  tenant_id uuid not null,
  first_event_at timestamp with time zone not null,
  last_event_at timestamp with time zone not null,
  silent_since timestamp with time zone,
  looked_at_hour timestamp with time zone,
  livemode boolean not null,
  kind text not null,
  name text not null,
  constraint module_pkey PRIMARY KEY (tenant_id, livemode, kind, name),
  constraint module_kind_check CHECK ((kind = ANY (ARRAY['module'::text, 'source'::text])))
) with (fillfactor=70);
alter table module enable row level security;
alter table module force row level security;
create policy engine on module as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on module as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table module_hour (
  tenant_id uuid not null,
  hour timestamp with time zone not null,
  count bigint not null,
  livemode boolean not null,
  kind text not null,
  name text not null,
  constraint module_hour_pkey PRIMARY KEY (tenant_id, livemode, kind, name, hour)
) with (fillfactor=70);
alter table module_hour enable row level security;
alter table module_hour force row level security;
create policy engine on module_hour as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on module_hour as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table module_watch (
  only_row boolean not null default true,
  watching_since timestamp with time zone not null,
  watched_until timestamp with time zone not null,
  constraint module_watch_pkey PRIMARY KEY (only_row),
  constraint module_watch_only_row_check CHECK (only_row)
);

create table node (
  id uuid not null,
  incarnation bigint not null,
  beat bigint not null default 0,
  started_at timestamp with time zone not null,
  beat_at timestamp with time zone not null,
  process_id integer not null,
  alive boolean not null,
  version text not null,
  host text not null,
  leaving boolean not null default false,
  memory_bytes bigint not null default 0,
  backlog_count integer not null default 0,
  in_flight_count integer not null default 0,
  constraint node_pkey PRIMARY KEY (id)
) with (fillfactor=50);

create table oauth_client (
  tenant_id uuid not null,
  id uuid not null,
  created_at timestamp with time zone not null,
  config_version bigint not null,
  name text not null,
  redirect_uris text[] not null,
  scopes text[] not null,
  constraint oauth_client_pkey PRIMARY KEY (tenant_id, id),
  constraint oauth_client_redirect_uris_check CHECK ((cardinality(redirect_uris) > 0)),
  constraint oauth_client_scopes_check CHECK ((cardinality(scopes) > 0))
);
alter table oauth_client enable row level security;
alter table oauth_client force row level security;
create policy engine on oauth_client as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy named on oauth_client as permissive for select to posthorn_api
  using ((id = ( SELECT (NULLIF(current_setting('posthorn.oauth_client_id'::text, true), ''::text))::uuid AS "nullif")));
create policy tenant on oauth_client as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table oauth_grant (
  tenant_id uuid not null,
  id uuid not null,
  client_id uuid not null,
  granted_by uuid not null,
  created_at timestamp with time zone not null,
  revoked_at timestamp with time zone,
  code_expires_at timestamp with time zone not null,
  code_used_at timestamp with time zone,
  refresh_expires_at timestamp with time zone,
  scopes text[] not null,
  code_hash bytea not null,
  code_challenge text not null,
  redirect_uri text not null,
  refresh_hash bytea,
  used_refresh_hash bytea,
  constraint oauth_grant_pkey PRIMARY KEY (tenant_id, id),
  constraint oauth_grant_code_hash_check CHECK ((octet_length(code_hash) = 32)),
  constraint oauth_grant_refresh_hash_check CHECK ((octet_length(refresh_hash) = 32)),
  constraint oauth_grant_used_refresh_hash_check CHECK ((octet_length(used_refresh_hash) = 32))
);
CREATE INDEX oauth_grant_client ON oauth_grant USING btree (tenant_id, client_id);
CREATE UNIQUE INDEX oauth_grant_code ON oauth_grant USING btree (code_hash);
CREATE INDEX oauth_grant_granted_by ON oauth_grant USING btree (tenant_id, granted_by);
CREATE UNIQUE INDEX oauth_grant_refresh ON oauth_grant USING btree (refresh_hash) WHERE (refresh_hash IS NOT NULL);
CREATE INDEX oauth_grant_used_refresh ON oauth_grant USING btree (used_refresh_hash) WHERE (used_refresh_hash IS NOT NULL);
alter table oauth_grant enable row level security;
alter table oauth_grant force row level security;
create policy engine on oauth_grant as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy holder on oauth_grant as permissive for select to posthorn_api
  using (((code_hash = ( SELECT decode(NULLIF(current_setting('posthorn.key_hash'::text, true), ''::text), 'hex'::text) AS decode)) OR (refresh_hash = ( SELECT decode(NULLIF(current_setting('posthorn.key_hash'::text, true), ''::text), 'hex'::text) AS decode)) OR (used_refresh_hash = ( SELECT decode(NULLIF(current_setting('posthorn.key_hash'::text, true), ''::text), 'hex'::text) AS decode))));
create policy tenant on oauth_grant as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table operational_notice (
  tenant_id uuid not null,
  id uuid not null,
  at timestamp with time zone not null,
  webhook_id uuid,
  bundle_id uuid,
  raised_at timestamp with time zone,
  count integer not null default 1,
  livemode boolean not null,
  type text not null,
  detail json not null,
  constraint operational_notice_pkey PRIMARY KEY (tenant_id, id)
);
alter table operational_notice enable row level security;
alter table operational_notice force row level security;
create policy engine on operational_notice as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on operational_notice as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table organisation_entry (
  tenant_id uuid not null,
  valid_from bigint not null,
  valid_to bigint,
  as_of timestamp with time zone not null,
  is_removed boolean not null default false,
  kind text not null,
  id text not null,
  name text,
  parent_id text,
  departments text[] not null default '{}'::text[],
  teams text[] not null default '{}'::text[],
  constraint organisation_entry_pkey PRIMARY KEY (tenant_id, kind, id, valid_from),
  constraint organisation_entry_kind_check CHECK ((kind = ANY (ARRAY['company'::text, 'branch'::text, 'location'::text, 'employee'::text, 'user'::text])))
);
CREATE INDEX organisation_entry_changed ON organisation_entry USING btree (valid_from) WHERE (valid_to IS NULL);
CREATE UNIQUE INDEX organisation_entry_current ON organisation_entry USING btree (tenant_id, kind, id) WHERE (valid_to IS NULL);
alter table organisation_entry enable row level security;
alter table organisation_entry force row level security;
create policy engine on organisation_entry as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on organisation_entry as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table replay_job (
  tenant_id uuid not null,
  id uuid not null,
  webhook_id uuid not null,
  from_id uuid not null,
  before_id uuid not null,
  cursor_id uuid,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  finished_at timestamp with time zone,
  examined_count bigint not null default 0,
  replayed_count bigint not null default 0,
  lane smallint not null,
  livemode boolean not null,
  dry_run boolean not null,
  state text not null,
  which text not null,
  created_by text not null,
  request_id text not null,
  filter text,
  problem text,
  types text[],
  states text[],
  constraint replay_job_pkey PRIMARY KEY (tenant_id, id),
  constraint replay_job_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'cancelled'::text, 'failed'::text]))),
  constraint replay_job_which_check CHECK ((which = ANY (ARRAY['owed'::text, 'missed'::text, 'all'::text])))
) with (fillfactor=70);
CREATE INDEX replay_job_running ON replay_job USING btree (lane) WHERE (state = 'running'::text);
CREATE INDEX replay_job_webhook ON replay_job USING btree (tenant_id, webhook_id, id);
alter table replay_job enable row level security;
alter table replay_job force row level security;
create policy engine on replay_job as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on replay_job as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table rollup (
  tenant_id uuid not null,
  webhook_id uuid not null,
  minute timestamp with time zone not null,
  last_delivered_at timestamp with time zone,
  duration_ms_sum bigint not null default 0,
  delivered_count integer not null default 0,
  failed_count integer not null default 0,
  attempt_delivered_count integer not null default 0,
  attempt_rejected_count integer not null default 0,
  attempt_throttled_count integer not null default 0,
  attempt_gone_count integer not null default 0,
  attempt_timed_out_count integer not null default 0,
  attempt_connection_failed_count integer not null default 0,
  attempt_tls_failed_count integer not null default 0,
  attempt_blocked_count integer not null default 0,
  attempt_invalid_response_count integer not null default 0,
  attempt_interrupted_count integer not null default 0,
  under_10_ms_count integer not null default 0,
  under_25_ms_count integer not null default 0,
  under_50_ms_count integer not null default 0,
  under_100_ms_count integer not null default 0,
  under_250_ms_count integer not null default 0,
  under_500_ms_count integer not null default 0,
  under_1000_ms_count integer not null default 0,
  under_2500_ms_count integer not null default 0,
  under_5000_ms_count integer not null default 0,
  under_10000_ms_count integer not null default 0,
  longer_count integer not null default 0,
  attempt_rejected_by_rule_count integer not null default 0,
  constraint rollup_pkey PRIMARY KEY (tenant_id, webhook_id, minute)
) with (fillfactor=70);
alter table rollup enable row level security;
alter table rollup force row level security;
create policy engine on rollup as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on rollup as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table rollup_tail (
  tenant_id uuid not null,
  webhook_id uuid not null,
  minute timestamp with time zone not null,
  id uuid not null,
  last_delivered_at timestamp with time zone,
  duration_ms_sum bigint not null default 0,
  attempt_count integer not null default 0,
  delivered_count integer not null default 0,
  failed_count integer not null default 0,
  duration_bucket smallint,
  outcome text,
  constraint rollup_tail_pkey PRIMARY KEY (tenant_id, webhook_id, id)
) with (autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=5000, vacuum_truncate=off);
alter table rollup_tail enable row level security;
alter table rollup_tail force row level security;
create policy engine on rollup_tail as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on rollup_tail as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table rollup_total (
  tenant_id uuid not null,
  webhook_id uuid not null,
  last_delivered_at timestamp with time zone,
  duration_ms_sum bigint not null default 0,
  delivered_count bigint not null default 0,
  failed_count bigint not null default 0,
  attempt_delivered_count bigint not null default 0,
  attempt_rejected_count bigint not null default 0,
  attempt_throttled_count bigint not null default 0,
  attempt_gone_count bigint not null default 0,
  attempt_timed_out_count bigint not null default 0,
  attempt_connection_failed_count bigint not null default 0,
  attempt_tls_failed_count bigint not null default 0,
  attempt_blocked_count bigint not null default 0,
  attempt_invalid_response_count bigint not null default 0,
  attempt_interrupted_count bigint not null default 0,
  under_10_ms_count bigint not null default 0,
  under_25_ms_count bigint not null default 0,
  under_50_ms_count bigint not null default 0,
  under_100_ms_count bigint not null default 0,
  under_250_ms_count bigint not null default 0,
  under_500_ms_count bigint not null default 0,
  under_1000_ms_count bigint not null default 0,
  under_2500_ms_count bigint not null default 0,
  under_5000_ms_count bigint not null default 0,
  under_10000_ms_count bigint not null default 0,
  longer_count bigint not null default 0,
  attempt_rejected_by_rule_count bigint not null default 0,
  constraint rollup_total_pkey PRIMARY KEY (tenant_id, webhook_id)
) with (fillfactor=50);
alter table rollup_total enable row level security;
alter table rollup_total force row level security;
create policy engine on rollup_total as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on rollup_total as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table route (
  tenant_id uuid not null,
  created_at timestamp with time zone not null,
  from_config_version bigint not null,
  to_config_version bigint,
  version integer not null,
  livemode boolean not null,
  name text not null,
  created_by text not null,
  body json not null,
  constraint route_pkey PRIMARY KEY (tenant_id, livemode, name, version),
  constraint route_version_check CHECK ((version > 0))
);
CREATE UNIQUE INDEX route_current ON route USING btree (tenant_id, livemode, name) WHERE (to_config_version IS NULL);
alter table route enable row level security;
alter table route force row level security;
create policy engine on route as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on route as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table schema_migration (
  name text not null,
  checksum text not null,
  applied_at timestamp with time zone not null default now(),
  constraint schema_migration_pkey PRIMARY KEY (name)
);

create table secret (
  tenant_id uuid not null,
  id uuid not null,
  webhook_id uuid not null,
  created_at timestamp with time zone not null,
  valid_until_at timestamp with time zone,
  config_version bigint not null,
  purpose text not null,
  ciphertext text not null,
  name text,
  constraint secret_pkey PRIMARY KEY (tenant_id, id),
  constraint secret_ciphertext_check CHECK ((ciphertext ~~ 'v1.%'::text)),
  constraint secret_name_check CHECK (((purpose = 'header'::text) = (name IS NOT NULL))),
  constraint secret_purpose_check CHECK ((purpose = ANY (ARRAY['signing'::text, 'signing_next'::text, 'signing_previous'::text, 'auth'::text, 'header'::text])))
);
CREATE INDEX secret_ending ON secret USING btree (valid_until_at) WHERE (valid_until_at IS NOT NULL);
CREATE UNIQUE INDEX secret_place ON secret USING btree (tenant_id, webhook_id, purpose, name) NULLS NOT DISTINCT;
alter table secret enable row level security;
alter table secret force row level security;
create policy engine on secret as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on secret as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table snapshot (
  tenant_id uuid not null,
  id uuid not null,
  webhook_id uuid not null,
  created_at timestamp with time zone not null,
  moved_at timestamp with time zone not null,
  finished_at timestamp with time zone,
  received_count bigint not null default 0,
  made_count bigint not null default 0,
  records_per_second integer not null,
  lane smallint not null,
  retention_class smallint not null,
  livemode boolean not null,
  is_complete boolean not null default false,
  state text not null,
  event_type text not null,
  token text not null,
  created_by text not null,
  problem text,
  constraint snapshot_pkey PRIMARY KEY (tenant_id, id),
  constraint snapshot_records_per_second_check CHECK ((records_per_second > 0)),
  constraint snapshot_state_check CHECK ((state = ANY (ARRAY['running'::text, 'done'::text, 'cancelled'::text, 'failed'::text])))
) with (fillfactor=70);
CREATE INDEX snapshot_running ON snapshot USING btree (lane) WHERE (state = 'running'::text);
CREATE UNIQUE INDEX snapshot_token ON snapshot USING btree (tenant_id, webhook_id, token);
alter table snapshot enable row level security;
alter table snapshot force row level security;
create policy engine on snapshot as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on snapshot as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table snapshot_record (
  tenant_id uuid not null,
  snapshot_id uuid not null,
  event_id uuid not null,
  line bigint not null,
  retention_class smallint not null,
  constraint snapshot_record_pkey PRIMARY KEY (tenant_id, snapshot_id, line)
);
alter table snapshot_record enable row level security;
alter table snapshot_record force row level security;
create policy engine on snapshot_record as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on snapshot_record as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table tenant (
  id uuid not null,
  created_at timestamp with time zone not null,
  config_version bigint not null,
  capture_limit_per_second integer,
  retention_class smallint not null default 90,
  unknown_event_types text not null default 'refused'::text,
  name text not null,
  administrator_email text,
  time_zone text not null default 'UTC'::text,
  constraint tenant_pkey PRIMARY KEY (id),
  constraint tenant_name_key UNIQUE (name),
  constraint tenant_capture_limit_per_second_check CHECK ((capture_limit_per_second > 0)),
  constraint tenant_retention_class_check CHECK ((retention_class = ANY (ARRAY[7, 30, 90, 400, 3650]))),
  constraint tenant_unknown_event_types_check CHECK ((unknown_event_types = ANY (ARRAY['refused'::text, 'open'::text])))
);
CREATE INDEX tenant_config_version ON tenant USING btree (config_version);
alter table tenant enable row level security;
alter table tenant force row level security;
create policy engine on tenant as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on tenant as permissive for select to posthorn_api
  using ((id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));
create policy tenant_change on tenant as permissive for update to posthorn_api
  using ((id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table tenant_key (
  tenant_id uuid not null,
  id uuid not null,
  created_at timestamp with time zone not null,
  retired_at timestamp with time zone,
  wrapped_key text not null,
  constraint tenant_key_pkey PRIMARY KEY (tenant_id, id),
  constraint tenant_key_wrapped_key_check CHECK ((wrapped_key ~~ 'v1.%'::text))
);
alter table tenant_key enable row level security;
alter table tenant_key force row level security;
create policy engine on tenant_key as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on tenant_key as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table webhook (
  tenant_id uuid not null,
  id uuid not null,
  created_at timestamp with time zone not null,
  updated_at timestamp with time zone not null,
  disabled_at timestamp with time zone,
  deleted_at timestamp with time zone,
  config_version bigint not null,
  version integer not null,
  lane smallint not null,
  livemode boolean not null,
  status text not null,
  disabled_reason text,
  configuration json not null,
  constraint webhook_pkey PRIMARY KEY (tenant_id, id),
  constraint webhook_check CHECK (((status = 'disabled'::text) = (disabled_reason IS NOT NULL))),
  constraint webhook_check1 CHECK (((status = 'deleted'::text) = (deleted_at IS NOT NULL))),
  constraint webhook_disabled_reason_check CHECK ((disabled_reason = ANY (ARRAY['owner'::text, 'endpoint_gone'::text, 'health'::text, 'response_rule'::text]))),
  constraint webhook_lane_check CHECK (((lane >= 0) AND (lane <= 255))),
  constraint webhook_status_check CHECK ((status = ANY (ARRAY['enabled'::text, 'paused'::text, 'disabled'::text, 'deleted'::text]))),
  constraint webhook_version_check CHECK ((version > 0))
);
CREATE INDEX webhook_checked ON webhook USING btree (tenant_id, id) WHERE ((configuration ->> 'checkAfter'::text) IS NOT NULL);
CREATE INDEX webhook_config_version ON webhook USING btree (config_version);
CREATE INDEX webhook_expiring ON webhook USING btree (tenant_id, id) WHERE ((configuration ->> 'expireAfter'::text) IS NOT NULL);
alter table webhook enable row level security;
alter table webhook force row level security;
create policy engine on webhook as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on webhook as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table webhook_health (
  tenant_id uuid not null,
  webhook_id uuid not null,
  since timestamp with time zone not null,
  open_until timestamp with time zone,
  failing_since timestamp with time zone,
  last_success_at timestamp with time zone,
  last_failure_at timestamp with time zone,
  certificate_expires_at timestamp with time zone,
  certificate_told_at timestamp with time zone,
  checked_at timestamp with time zone,
  failure_count integer not null default 0,
  open_count integer not null default 0,
  lane smallint not null,
  score smallint not null,
  told_percent smallint not null default 0,
  status text not null,
  told_status text not null default 'healthy'::text,
  phase text not null,
  open_reason text not null default 'failing'::text,
  reason text,
  constraint webhook_health_pkey PRIMARY KEY (tenant_id, webhook_id),
  constraint webhook_health_open_reason_check CHECK ((open_reason = ANY (ARRAY['failing'::text, 'throttled'::text]))),
  constraint webhook_health_phase_check CHECK ((phase = ANY (ARRAY['closed'::text, 'open'::text, 'half_open'::text, 'ramping'::text]))),
  constraint webhook_health_status_check CHECK ((status = ANY (ARRAY['healthy'::text, 'degraded'::text, 'failing'::text, 'unreachable'::text])))
) with (fillfactor=70);
CREATE INDEX webhook_health_troubled ON webhook_health USING btree (lane) WHERE ((status <> 'healthy'::text) OR (phase <> 'closed'::text));
alter table webhook_health enable row level security;
alter table webhook_health force row level security;
create policy engine on webhook_health as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on webhook_health as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

create table webhook_version (
  tenant_id uuid not null,
  webhook_id uuid not null,
  created_at timestamp with time zone not null,
  from_config_version bigint not null,
  to_config_version bigint,
  version integer not null,
  created_by text not null,
  configuration json not null,
  constraint webhook_version_pkey PRIMARY KEY (tenant_id, webhook_id, version)
);
alter table webhook_version enable row level security;
alter table webhook_version force row level security;
create policy engine on webhook_version as permissive for all to posthorn_engine
  using (true)
  with check (true);
create policy tenant on webhook_version as permissive for all to posthorn_api
  using ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")))
  with check ((tenant_id = ( SELECT (NULLIF(current_setting('posthorn.tenant_id'::text, true), ''::text))::uuid AS "nullif")));

grant delete, insert, select, update on api_key to posthorn_api;
grant delete, insert, select, update on api_key to posthorn_engine;
grant insert, select on attempt to posthorn_api;
grant insert, select on attempt to posthorn_engine;
grant insert, select on audit_entry to posthorn_api;
grant insert, select on audit_entry to posthorn_engine;
grant select on batch to posthorn_api;
grant delete, insert, select, update on batch to posthorn_engine;
grant insert, select on cancel_notice to posthorn_api;
grant delete, insert, select on cancel_notice to posthorn_engine;
grant insert, select on cancelled_delivery to posthorn_api;
grant insert, select on cancelled_delivery to posthorn_engine;
grant delete, insert, select, update on company to posthorn_api;
grant delete, insert, select, update on company to posthorn_engine;
grant select, update on config_version to posthorn_api;
grant delete, insert, select, update on config_version to posthorn_engine;
grant insert, select on correction to posthorn_api;
grant delete, select on correction to posthorn_engine;
grant delete, insert, select on dead_letter to posthorn_api;
grant delete, insert, select on dead_letter to posthorn_engine;
grant delete, insert, select, update on definition to posthorn_api;
grant delete, insert, select, update on definition to posthorn_engine;
grant delete, insert, select, update on definition_version to posthorn_api;
grant delete, insert, select, update on definition_version to posthorn_engine;
grant delete, insert, select, update on delivery to posthorn_api;
grant delete, insert, select, update on delivery to posthorn_engine;
grant usage on sequence delivery_seq to posthorn_api;
grant usage on sequence delivery_seq to posthorn_engine;
grant insert, select, update on digest_channel to posthorn_api;
grant delete, insert, select, update on digest_channel to posthorn_engine;
grant select on digest_entry to posthorn_api;
grant delete, insert, select, update on digest_entry to posthorn_engine;
grant insert, select, update on event to posthorn_api;
grant insert, select, update on event to posthorn_engine;
grant delete, insert, select, update on event_key to posthorn_engine;
grant delete, insert, select, update on event_type to posthorn_api;
grant delete, insert, select, update on event_type to posthorn_engine;
grant delete, insert, select, update on expiry_watch to posthorn_engine;
grant delete, insert, select, update on fan_out to posthorn_engine;
grant select on lane to posthorn_api;
grant delete, insert, select, update on lane to posthorn_engine;
grant select on module to posthorn_api;
grant delete, insert, select, update on module to posthorn_engine;
grant select on module_hour to posthorn_api;
grant delete, insert, select, update on module_hour to posthorn_engine;
grant insert, select, update on module_watch to posthorn_engine;
grant select on node to posthorn_api;
grant delete, insert, select, update on node to posthorn_engine;
grant delete, insert, select, update on oauth_client to posthorn_api;
grant delete, insert, select, update on oauth_client to posthorn_engine;
grant delete, insert, select, update on oauth_grant to posthorn_api;
grant delete, insert, select, update on oauth_grant to posthorn_engine;
grant insert on operational_notice to posthorn_api;
grant delete, insert, select, update on operational_notice to posthorn_engine;
grant delete, insert, select, update on organisation_entry to posthorn_api;
grant delete, insert, select, update on organisation_entry to posthorn_engine;
grant insert, select, update on replay_job to posthorn_api;
grant insert, select, update on replay_job to posthorn_engine;
grant select on rollup to posthorn_api;
grant delete, insert, select, update on rollup to posthorn_engine;
grant insert, select on rollup_tail to posthorn_api;
grant delete, insert, select, update on rollup_tail to posthorn_engine;
grant select on rollup_total to posthorn_api;
grant delete, insert, select, update on rollup_total to posthorn_engine;
grant delete, insert, select, update on route to posthorn_api;
grant delete, insert, select, update on route to posthorn_engine;
grant delete, insert, select, update on secret to posthorn_api;
grant delete, insert, select, update on secret to posthorn_engine;
grant delete, insert, select, update on snapshot to posthorn_api;
grant delete, insert, select, update on snapshot to posthorn_engine;
grant delete, insert, select, update on snapshot_record to posthorn_api;
grant delete, insert, select, update on snapshot_record to posthorn_engine;
grant select on tenant to posthorn_api;
grant delete, insert, select, update on tenant to posthorn_engine;
grant delete, insert, select, update on tenant_key to posthorn_api;
grant delete, insert, select, update on tenant_key to posthorn_engine;
grant delete, insert, select, update on webhook to posthorn_api;
grant delete, insert, select, update on webhook to posthorn_engine;
grant select on webhook_health to posthorn_api;
grant delete, insert, select, update on webhook_health to posthorn_engine;
grant delete, insert, select, update on webhook_version to posthorn_api;
grant delete, insert, select, update on webhook_version to posthorn_engine;
