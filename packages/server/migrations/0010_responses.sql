-- What webhooks' rules make of answers. Forward only.
--
-- Values that a rule takes out of an answer stay with the attempt; the one named externalId can be searched for.
alter table attempt add column external_id text;
alter table attempt add column extracted json;
create index attempt_external_id on attempt (tenant_id, external_id) where external_id is not null;

-- A rule may switch its webhook off.
alter table webhook drop constraint webhook_disabled_reason_check;
alter table webhook add constraint webhook_disabled_reason_check
  check (disabled_reason in ('owner', 'endpoint_gone', 'health', 'response_rule'));

-- Attempts whose answer a rule did not take for a success are counted by themselves.
alter table rollup add column attempt_rejected_by_rule_count integer not null default 0;
alter table rollup_total add column attempt_rejected_by_rule_count bigint not null default 0;
