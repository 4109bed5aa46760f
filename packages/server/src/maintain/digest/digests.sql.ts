// Statements that decide who is told and when, and write down that it was done. Engine role, all tenants. Both tables are
// small: entries go when they were told, channels are two a tenant.
import type { Executor } from "../../storage/pools.ts";
import type { ChatForm } from "./words.ts";

export type DigestChannel = "email" | "chat";

/** Whether anything waits: what an idle node asks. */
export async function hasDigestEntries(engine: Executor): Promise<boolean> {
  const { rows } = await engine.query<{ has_entries: boolean }>({
    name: "has_digest_entries",
    text: "select exists (select from digest_entry) as has_entries",
  });
  return rows[0]?.has_entries === true;
}

export interface ClaimedChannel {
  tenant_id: string;
  channel: DigestChannel;
  failure_count: number;
  failing_since: Date | null;
  /** Null: none was chosen, the administrator's address is used. */
  emails: string[] | null;
  chat_form: ChatForm | null;
  chat_ciphertext: string | null;
  tenant_name: string;
  time_zone: string;
  administrator_email: string | null;
  other_problem: string | null;
  other_failing_since: Date | null;
}

/**
 * Claims the channels that are due: something has waited long enough, the last digest is long enough ago, and no other
 * node is at it. The row itself is the claim: `on conflict` looks at it again under its lock, so of several nodes one
 * gets it. Those of one digest window are therefore told once.
 */
export async function claimDueChannels(
  engine: Executor,
  times: { readonly nowMs: number; readonly settledMs: number; readonly intervalMs: number; readonly claimMs: number },
  limit: number,
): Promise<ClaimedChannel[]> {
  const { rows } = await engine.query<ClaimedChannel>({
    name: "claim_due_digest_channels",
    text: `
with waiting as materialized (
  select e.tenant_id, c.channel
  from digest_entry e
  cross join lateral (values ('email', e.email_due), ('chat', e.chat_due)) as c (channel, is_due)
  where c.is_due
  group by e.tenant_id, c.channel
  having min(e.noted_at) <= to_timestamp($2::float8 / 1000)
),
due as materialized (
  select w.tenant_id, w.channel
  from waiting w
  left join digest_channel d on d.tenant_id = w.tenant_id and d.channel = w.channel
  where (d.sent_at is null or d.sent_at <= to_timestamp(($1::float8 - $3::float8) / 1000))
    and (d.next_attempt_at is null or d.next_attempt_at <= to_timestamp($1::float8 / 1000))
  order by w.tenant_id, w.channel
  limit $5
),
claimed as (
  insert into digest_channel as d (tenant_id, channel, updated_at, next_attempt_at)
  select tenant_id, channel, to_timestamp($1::float8 / 1000), to_timestamp(($1::float8 + $4::float8) / 1000)
  from due
  on conflict (tenant_id, channel) do update set next_attempt_at = excluded.next_attempt_at
  where (d.sent_at is null or d.sent_at <= to_timestamp(($1::float8 - $3::float8) / 1000))
    and (d.next_attempt_at is null or d.next_attempt_at <= to_timestamp($1::float8 / 1000))
  returning d.*
)
select c.tenant_id, c.channel, c.failure_count, c.failing_since, c.emails, c.chat_form, c.chat_ciphertext,
  t.name as tenant_name, t.time_zone, t.administrator_email,
  o.problem as other_problem, o.failing_since as other_failing_since
from claimed c
join tenant t on t.id = c.tenant_id
left join digest_channel o on o.tenant_id = c.tenant_id and o.channel <> c.channel`,
    values: [times.nowMs, times.settledMs, times.intervalMs, times.claimMs, limit],
  });
  return rows;
}

export interface EntryRow {
  id: string;
  at: Date;
  webhook_id: string | null;
  type: string;
  object: Readonly<Record<string, unknown>>;
}

/** What a tenant's people were not told of by a channel, oldest first, by primary key's tenant. */
export async function selectDueEntries(
  engine: Executor,
  tenantUuid: string,
  channel: DigestChannel,
  limit: number,
): Promise<EntryRow[]> {
  const { rows } = await engine.query<EntryRow>({
    name: "select_due_digest_entries",
    text: `select id, at, webhook_id, type, object from digest_entry
      where tenant_id = $1 and case $2 when 'email' then email_due else chat_due end
      order by at, id
      limit $3`,
    values: [tenantUuid, channel, limit],
  });
  return rows;
}

/**
 * A digest went out, or nobody is to be told any more: what it was made of is done, and goes when the other channel has
 * told it too. By primary keys.
 */
export async function finishChannel(
  engine: Executor,
  told: { readonly tenantUuid: string; readonly channel: DigestChannel; readonly entryIds: readonly string[] },
  nowMs: number,
  problem: string | null,
): Promise<void> {
  await engine.query({
    name: "finish_digest_channel",
    text: `
with done as (
  delete from digest_entry
  where tenant_id = $1 and id = any ($3::uuid[]) and not case $2 when 'email' then chat_due else email_due end
),
kept as (
  update digest_entry set email_due = email_due and $2 <> 'email', chat_due = chat_due and $2 <> 'chat'
  where tenant_id = $1 and id = any ($3::uuid[]) and case $2 when 'email' then chat_due else email_due end
)
update digest_channel
set sent_at = to_timestamp($4::float8 / 1000), next_attempt_at = null, failing_since = null, failure_count = 0,
  problem = $5
where tenant_id = $1 and channel = $2`,
    values: [told.tenantUuid, told.channel, told.entryIds, nowMs, problem],
  });
}

/** A try failed: the next one waits. By primary key. */
export async function failChannel(
  engine: Executor,
  tenantUuid: string,
  channel: DigestChannel,
  times: { readonly nowMs: number; readonly delayMs: number },
  problem: string,
): Promise<void> {
  await engine.query({
    name: "fail_digest_channel",
    text: `update digest_channel
      set next_attempt_at = to_timestamp(($3::float8 + $4::float8) / 1000), failure_count = failure_count + 1,
        failing_since = coalesce(failing_since, to_timestamp($3::float8 / 1000)), problem = $5
      where tenant_id = $1 and channel = $2`,
    values: [tenantUuid, channel, times.nowMs, times.delayMs, problem],
  });
}

/** Gives up what could not be told for too long; how many. A small table, read whole. */
export async function dropOldEntries(engine: Executor, beforeMs: number): Promise<number> {
  const { rowCount } = await engine.query({
    name: "drop_old_digest_entries",
    text: "delete from digest_entry where noted_at < to_timestamp($1::float8 / 1000)",
    values: [beforeMs],
  });
  return rowCount ?? 0;
}
