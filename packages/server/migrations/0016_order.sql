-- Order by key (guarantee G6).

-- What is owed to an ordered webhook, by key: the first of each key is the lowest `seq`. Partial, so that deliveries
-- without a key pay nothing for it. The tenant comes first, because the API reads parked keys by it too.
create index delivery_ordered on delivery (tenant_id, webhook_id, ordering_key, seq) where ordering_key is not null;

-- Keys that wait for a person: few at any time.
create index delivery_key_held on delivery (tenant_id, webhook_id, seq)
  where held_reason is not null and ordering_key is not null;

-- The owner before did not give the lane back, so a request of its may be under way: ordered webhooks wait it out.
alter table lane add column unclean boolean not null default false;
