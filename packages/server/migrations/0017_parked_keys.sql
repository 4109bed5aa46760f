-- Parked keys: since when one is held, and giving its first delivery up. Forward only.

alter table delivery add column held_at timestamptz; -- since when, while it is held; null: since an earlier release

-- skipped: a person gave up the delivery that held its key.
alter table dead_letter drop constraint dead_letter_reason_check;
alter table dead_letter add constraint dead_letter_reason_check
  check (reason in ('attempts_exhausted', 'endpoint_gone', 'webhook_disabled', 'rejected_permanently', 'expired', 'skipped'));
