-- Endpoints that are checked while nothing is sent to them. Forward only.
--
-- Upkeep looks for the webhooks that say so; few do.
create index webhook_checked on webhook (tenant_id, id) where configuration ->> 'checkAfter' is not null;
