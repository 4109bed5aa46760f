// Statements that turn notices into operational events. Engine role, all tenants. The table is empty at rest and small
// when not: it is read as a whole.
import { NAMED_DELIVERIES } from "../../storage/notices.sql.ts";
import type { Executor } from "../../storage/pools.ts";

/** Whether there is anything to do: what an idle node asks. */
export async function hasNotices(engine: Executor): Promise<boolean> {
  const { rows } = await engine.query<{ has_notices: boolean }>({
    name: "has_operational_notices",
    text: "select exists (select from operational_notice) as has_notices",
  });
  return rows[0]?.has_notices === true;
}

/**
 * Decides which notices become one event: those of one webhook and type that have no event yet, unless the latest such
 * event is younger than `quietMs`. A notice is in one bundle for ever, also when two nodes do this at once.
 */
export async function bundleNotices(engine: Executor, nowMs: number, quietMs: number): Promise<void> {
  await engine.query({
    name: "bundle_operational_notices",
    text: `
with waiting as materialized (
  select w.*, gen_random_uuid() as new_bundle_id
  from (select distinct tenant_id, webhook_id, livemode, type from operational_notice where bundle_id is null) w
  where not exists (
    select from operational_notice o
    where o.tenant_id = w.tenant_id and o.webhook_id is not distinct from w.webhook_id and o.livemode = w.livemode
      and o.type = w.type and o.bundle_id is not null
      and (o.raised_at is null or o.raised_at > to_timestamp(($1::float8 - $2::float8) / 1000))
  )
)
update operational_notice n
set bundle_id = waiting.new_bundle_id
from waiting
where n.bundle_id is null and n.tenant_id = waiting.tenant_id and n.webhook_id is not distinct from waiting.webhook_id
  and n.livemode = waiting.livemode and n.type = waiting.type`,
    values: [nowMs, quietMs],
  });
}

export interface BundleRow {
  bundle_id: string;
  tenant_id: string;
  webhook_id: string | null;
  livemode: boolean;
  type: string;
  at: Date;
  count: number;
  details: readonly Readonly<Record<string, unknown>>[];
  webhook: {
    readonly name: string | null;
    readonly url: string;
    readonly status: string;
    /** Seconds. */
    readonly expireAfter: number | null;
  } | null;
  retention_class: number;
}

/** Bundles that are no events yet, oldest first, with their webhooks as they are now. */
export async function selectBundles(engine: Executor, limit: number): Promise<BundleRow[]> {
  const { rows } = await engine.query<BundleRow>({
    name: "select_operational_bundles",
    text: `
select b.*, t.retention_class,
  (select json_build_object('name', w.configuration ->> 'name', 'url', w.configuration ->> 'url', 'status', w.status,
      'expireAfter', (w.configuration ->> 'expireAfter')::float8)
    from webhook w where w.tenant_id = b.tenant_id and w.id = b.webhook_id) as webhook
from (
  select bundle_id, tenant_id, webhook_id, livemode, type, max(at) as at, sum(count)::int4 as count,
    to_json((array_agg(detail order by at, id))[1:${NAMED_DELIVERIES}]) as details
  from operational_notice
  where bundle_id is not null and raised_at is null
  group by bundle_id, tenant_id, webhook_id, livemode, type
  order by min(at)
  limit $1
) b
join tenant t on t.id = b.tenant_id`,
    values: [limit],
  });
  return rows;
}

/** What people are told of an event, beside those who subscribed to it. */
export interface DigestNote {
  readonly isMailPossible: boolean;
  readonly object: Readonly<Record<string, unknown>>;
}

/**
 * The event of a bundle is captured; in the same statement it is kept for the next digest, where its tenant tells
 * somebody. By primary keys; the bundle's id keeps it from being kept twice.
 * @param note null: people are not told of such events
 */
export async function markRaised(
  engine: Executor,
  bundle: BundleRow,
  nowMs: number,
  note: DigestNote | null,
): Promise<void> {
  await engine.query({
    name: "mark_operational_bundle_raised",
    text: `
with raised as (
  update operational_notice set raised_at = to_timestamp($3::float8 / 1000)
  where tenant_id = $1 and bundle_id = $2 and raised_at is null
  returning bundle_id
)
insert into digest_entry (tenant_id, id, at, noted_at, webhook_id, email_due, chat_due, type, object)
select $1, $2, $4, to_timestamp($3::float8 / 1000), $5, told.email_due, told.chat_due, $6, $7::json
from (
  select $8::bool and coalesce(cardinality(m.emails) > 0, t.administrator_email is not null) as email_due,
    c.chat_ciphertext is not null as chat_due
  from tenant t
  left join digest_channel m on m.tenant_id = t.id and m.channel = 'email'
  left join digest_channel c on c.tenant_id = t.id and c.channel = 'chat'
  where t.id = $1
) told
where $7::text is not null and (told.email_due or told.chat_due) and exists (select from raised)
on conflict do nothing`,
    values: [
      bundle.tenant_id,
      bundle.bundle_id,
      nowMs,
      bundle.at,
      bundle.webhook_id,
      bundle.type,
      note === null ? null : JSON.stringify(note.object),
      note?.isMailPossible ?? false,
    ],
  });
}

/** Removes what is done: raised, and old enough not to keep others waiting. A small table, read whole. */
export async function deleteNotices(engine: Executor, nowMs: number, quietMs: number): Promise<void> {
  await engine.query({
    name: "delete_operational_notices",
    text: `delete from operational_notice
      where raised_at < to_timestamp(($1::float8 - $2::float8) / 1000)`,
    values: [nowMs, quietMs],
  });
}
