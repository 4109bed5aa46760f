// Statements on who is told by digests, for the tenant itself. API role under row-level security; the tenant clause is
// written all the same. By primary key.
import type { Executor } from "../storage/pools.ts";

export interface DigestRow {
  name: string;
  time_zone: string;
  administrator_email: string | null;
  emails: string[] | null;
  email_sent_at: Date | null;
  email_failing_since: Date | null;
  email_next_attempt_at: Date | null;
  email_problem: string | null;
  chat_form: "text" | "card" | null;
  chat_host: string | null;
  chat_ciphertext: string | null;
  chat_sent_at: Date | null;
  chat_failing_since: Date | null;
  chat_next_attempt_at: Date | null;
  chat_problem: string | null;
  waiting_count: number;
}

/** What is set, how telling goes, and how much waits; null only without the tenant. */
export async function selectDigest(db: Executor, tenantUuid: string): Promise<DigestRow | null> {
  const { rows } = await db.query<DigestRow>({
    name: "select_digest",
    text: `
select t.name, t.time_zone, t.administrator_email, m.emails, m.sent_at as email_sent_at,
  m.failing_since as email_failing_since, m.next_attempt_at as email_next_attempt_at, m.problem as email_problem,
  c.chat_form, c.chat_host, c.chat_ciphertext, c.sent_at as chat_sent_at, c.failing_since as chat_failing_since,
  c.next_attempt_at as chat_next_attempt_at, c.problem as chat_problem,
  (select count(*)::int4 from digest_entry e where e.tenant_id = t.id) as waiting_count
from tenant t
left join digest_channel m on m.tenant_id = t.id and m.channel = 'email'
left join digest_channel c on c.tenant_id = t.id and c.channel = 'chat'
where t.id = $1`,
    values: [tenantUuid],
  });
  return rows[0] ?? null;
}

/** Whom mail goes to. A try is due at once again. */
export async function upsertEmails(
  db: Executor,
  tenantUuid: string,
  emails: readonly string[] | null,
  atMs: number,
): Promise<void> {
  await db.query({
    name: "upsert_digest_emails",
    text: `insert into digest_channel as d (tenant_id, channel, updated_at, emails)
      values ($1, 'email', to_timestamp($2::float8 / 1000), $3)
      on conflict (tenant_id, channel) do update
      set updated_at = excluded.updated_at, emails = excluded.emails, next_attempt_at = null, failing_since = null,
        failure_count = 0, problem = null`,
    values: [tenantUuid, atMs, emails],
  });
}

export interface ChatFields {
  readonly form: "text" | "card" | null;
  readonly host: string | null;
  readonly ciphertext: string | null;
}

/** Which chat is told. A try is due at once again. */
export async function upsertChat(db: Executor, tenantUuid: string, chat: ChatFields, atMs: number): Promise<void> {
  await db.query({
    name: "upsert_digest_chat",
    text: `insert into digest_channel as d (tenant_id, channel, updated_at, chat_form, chat_host, chat_ciphertext)
      values ($1, 'chat', to_timestamp($2::float8 / 1000), $3, $4, $5)
      on conflict (tenant_id, channel) do update
      set updated_at = excluded.updated_at, chat_form = excluded.chat_form, chat_host = excluded.chat_host,
        chat_ciphertext = excluded.chat_ciphertext, next_attempt_at = null, failing_since = null, failure_count = 0,
        problem = null`,
    values: [tenantUuid, atMs, chat.form, chat.host, chat.ciphertext],
  });
}
