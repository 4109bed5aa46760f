-- Secrets of three kinds more: what a webhook shows its receiver (auth), values of its own headers (header), and the
-- second signing secret of a rotation. One row for each place that a secret takes; ciphertexts stay bound to their row,
-- so that a rotation only changes `purpose`.
--
-- Rotation: `signing` gets an end (valid_until_at) and `signing_next` stands beside it; after the switch `signing_next`
-- is `signing`, and the old one is `signing_previous` until its end. A program of the release before reads `signing`
-- alone, which is right in both states.

alter table secret
  add column name text, -- of the header, in lower case
  drop constraint secret_purpose_check,
  add constraint secret_purpose_check
    check (purpose in ('signing', 'signing_next', 'signing_previous', 'auth', 'header')),
  add constraint secret_name_check check ((purpose = 'header') = (name is not null));

-- One secret in each place; also the way to a webhook's secrets.
create unique index secret_place on secret (tenant_id, webhook_id, purpose, name) nulls not distinct;
drop index secret_webhook;
-- What upkeep has to remove; empty at rest.
create index secret_ending on secret (valid_until_at) where valid_until_at is not null;
