-- Deliveries that expire by their webhook's `expireAfter`. Forward only.
--
-- Upkeep looks for the webhooks that say so; nearly none do.
create index webhook_expiring on webhook (tenant_id, id) where configuration ->> 'expireAfter' is not null;
