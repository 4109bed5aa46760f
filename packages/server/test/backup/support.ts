// Databases for the tests of this folder: empty ones in both modes of access, one as the first release left it, and a
// comparison of all rows of all tables.
import { randomBytes, randomFillSync } from "node:crypto";
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { IdGenerator, uuidFromBytes } from "@posthorn/contract";
import pg from "pg";
import { pino } from "pino";
import { type BackupOptions, backUp } from "../../src/backup/backup.ts";
import { tablesInFile } from "../../src/backup/tables.ts";
import { laneOf } from "../../src/lib/lane.ts";
import { DAY_MS, startOfDay } from "../../src/maintain/days.ts";
import { ensureDays, ensurePartitions } from "../../src/maintain/partitions.ts";
import { hashApiKey } from "../../src/security/api-keys.ts";
import { type MasterKey, openMasterKey } from "../../src/security/master-key.ts";
import { createVault } from "../../src/security/vault.ts";
import { startEmbeddedPostgres } from "../../src/storage/embedded/start.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { type ConnectionConfig, openPools } from "../../src/storage/pools.ts";
import { listColumns } from "../../src/storage/schema-dump.sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { TEST_API_KEY } from "../support/node.ts";

const random = (target: Uint8Array): void => void randomFillSync(target);

export function newMasterKey(): MasterKey & { readonly text: string } {
  const text = randomBytes(32).toString("base64");
  const opened = openMasterKey(text);
  if (!opened.ok) throw new Error(opened.message);
  return { ...opened.key, text };
}

export interface Database {
  /** The owner's. */
  readonly connection: ConnectionConfig;
  /** Superuser: sees all rows. */
  readonly admin: pg.Client;
  close(): Promise<void>;
}

/** A database without a schema; with `withRoles: false` its owner may neither make roles nor pass row-level security. */
export async function emptyDatabase(options: { withRoles?: boolean } = {}): Promise<Database> {
  const database = await createTestDatabase({ migrated: false });
  const admin = new pg.Client(database.connection);
  admin.on("error", () => {});
  await admin.connect();
  if (options.withRoles ?? true) {
    const close = async () => {
      await admin.end();
      await database.drop();
    };
    return { connection: database.connection, admin, close };
  }
  const login = `${database.databaseName}_owner`;
  await admin.query(`create role ${login} login password 'small'`);
  await admin.query(`alter database ${database.databaseName} owner to ${login}`);
  return {
    connection: { ...database.connection, user: login, password: "small" },
    admin,
    async close() {
      await admin.query(`reassign owned by ${login} to current_user; drop owned by ${login}; drop role ${login}`);
      await admin.end();
      await database.drop();
    },
  };
}

/** Applies the first migration alone: the schema of the first release. */
export async function migrateToFirst(connection: ConnectionConfig): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "posthorn-first-"));
  const source = fileURLToPath(new URL("../../migrations/0001_first.sql", import.meta.url));
  await cp(source, join(folder, "0001_first.sql"));
  await migrate(connection, folder);
  await rm(folder, { recursive: true });
}

export interface FirstRelease {
  readonly secret: string;
  /** Pending at once: three deliveries and a fan-out. */
  readonly pendingCount: number;
  readonly eventCount: number;
}

/** The data directory of an embedded database as the first release left it: stopped, its master key beside it. */
export async function dataDirectoryOfFirstRelease(dataDir: string, url: string): Promise<FirstRelease> {
  const masterKey = newMasterKey();
  await writeFile(join(dataDir, "master.key"), `${masterKey.text}\n`, { mode: 0o600 });
  const server = await startEmbeddedPostgres({ dataDir, log: pino({ level: "silent" }) });
  const admin = new pg.Client(server.connection);
  await admin.connect();
  const close = async () => {
    await admin.end();
    await server.stop();
  };
  try {
    await migrateToFirst(server.connection);
    return await fillAsFirstRelease({ connection: server.connection, admin, close }, masterKey, url);
  } finally {
    await close();
  }
}

/**
 * What the first release leaves behind: a row or more in every table it has, deliveries that are due, history of today
 * and of forty days ago.
 * @param url where its webhook sends to
 */
export async function fillAsFirstRelease(
  { connection, admin }: Database,
  masterKey: MasterKey,
  url: string,
  withRoles = true,
): Promise<FirstRelease> {
  const nowMs = Date.now();
  const oldMs = nowMs - 40 * DAY_MS;
  let idsAtMs = nowMs;
  const ids = new IdGenerator(() => idsAtMs, random);
  const uuid = (): string => uuidFromBytes(ids.next());
  const pools = openPools({ connection, withRoles, onIdleError: () => {} });
  await ensurePartitions(pools.owner, nowMs, [30]);
  await ensureDays(pools.owner, [startOfDay(oldMs)], [90]);
  const sql = (text: string, values: unknown[] = []) => admin.query(text, values);
  const [tenant, other] = [uuid(), uuid()];
  const webhookBytes = ids.next();
  const webhook = uuidFromBytes(webhookBytes);
  const lane = laneOf(webhookBytes);
  await sql(
    `insert into tenant (id, created_at, config_version, name, retention_class)
     values ($1, now(), 1, 'default', 90), ($2, now(), 1, 'acme', 30)`,
    [tenant, other],
  );
  await sql(
    "insert into company (tenant_id, created_at, config_version, id, name) values ($1, now(), 1, 'company_default', 'D')",
    [tenant],
  );
  await sql(
    `insert into api_key (tenant_id, id, created_at, config_version, livemode, key_hash, name, last_characters, scopes)
     values ($1, $2, now(), 1, true, $3, 'first administrator', '0001', array['admin', 'write:events'])`,
    [tenant, uuid(), hashApiKey(TEST_API_KEY)],
  );
  const secret = "a secret of the first release";
  const secretRow = uuid();
  const clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
  const vault = createVault({ engine: pools.engine, masterKey, clock, ids, random });
  const place = { tenantUuid: tenant, table: "secret", column: "ciphertext", rowId: secretRow };
  const ciphertext = await vault.encryptSecret(pools.engine, { ...place, plaintext: secret });
  await sql(
    `insert into secret (tenant_id, id, webhook_id, created_at, config_version, purpose, ciphertext)
     values ($1, $2, $3, now(), 2, 'signing', $4)`,
    [tenant, secretRow, webhook, ciphertext],
  );
  await sql("update config_version set version = 2");
  const configuration = JSON.stringify({
    url,
    events: ["invoice.*"],
    name: "Ledger",
    filters: ["invoice.total > 100"],
    headers: { "X-Source": "first" },
    retryPolicy: { maxRetries: 2, retryDelay: 5, backoffMultiplier: 2 },
  });
  await sql(
    `insert into webhook (tenant_id, id, created_at, updated_at, config_version, version, lane, livemode, status, configuration)
     values ($1, $2, now(), now(), 2, 1, $3, true, 'enabled', $4)`,
    [tenant, webhook, lane, configuration],
  );
  await sql(
    `insert into webhook_version (tenant_id, webhook_id, created_at, from_config_version, version, created_by, configuration)
     values ($1, $2, now(), 2, 1, 'key_first', $3)`,
    [tenant, webhook, configuration],
  );
  await sql(
    `insert into audit_entry (tenant_id, id, at, actor, action, object_type, object_id, change)
     values ($1, $2, now(), 'key_first', 'webhook.created', 'webhook', 'webhook_x', '{"name":{"from":null,"to":"Ledger"}}')`,
    [tenant, uuid()],
  );
  await sql(
    `insert into event_type (tenant_id, created_at, config_version, name, description, reference_path, example)
     values ($1, now(), 2, 'crate.opened', 'A crate was opened', array['crate', 'number'], '{"a": 1}')`,
    [tenant],
  );
  const event = async (atMs: number, deliveryCount: number, tenantId = tenant, retentionClass = 90) => {
    idsAtMs = atMs;
    const id = uuid();
    const total = 2567.5;
    await sql(
      `insert into event (tenant_id, id, config_version, delivery_count, retention_class, livemode, has_long_number, type,
         reference, sender_id, data, context)
       values ($1, $2, 2, $3, $4, true, true, 'invoice.paid', 'INV-1', $5, $6, $7)`,
      [
        tenantId,
        id,
        deliveryCount,
        retentionClass,
        `mine-${id.slice(-8)}`,
        Buffer.from(
          `{"object":{"invoiceNumber":"INV-1","total":${total},"name":"Zoë \\u0000 \\\\.","n":12345678901234567890}}`,
        ),
        Buffer.from('{"userId":"u1"}'),
      ],
    );
    return { id, delivery: uuid() };
  };
  const pending = async (atMs: number, attemptCount: number) => {
    const { id, delivery } = await event(atMs, 1);
    await sql(
      `insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane,
         attempt_count, next_trigger)
       values ($1, $2, $3, $4, nextval('delivery_seq'), now() - interval '1 minute', 1, 90, $5, $6, $7)`,
      [tenant, delivery, id, webhook, lane, attemptCount, attemptCount === 0 ? "initial" : "retry"],
    );
    return { id, delivery };
  };
  const attempt = async (of: { id: string; delivery: string }, status: number, number: number, ends: boolean) =>
    sql(
      `insert into attempt (tenant_id, id, delivery_id, event_id, webhook_id, started_at, duration_ms, body_length,
         webhook_version, retention_class, number, response_status, ends_delivery, replayed, trigger, outcome, url,
         address, body_hash, response_headers, response_body)
       values ($1, $2, $3, $4, $5, to_timestamp($6::float8 / 1000), 12, 711, 1, 90, $7, $8, $9, false, $10, $11, $12,
         '127.0.0.1', sha256('x'), '{"a":"b"}', '\\x00ff5c2e0a')`,
      [
        tenant,
        uuid(),
        of.delivery,
        of.id,
        webhook,
        idsAtMs,
        number,
        status,
        ends,
        number === 1 ? "initial" : "retry",
        ends ? "delivered" : "rejected",
        url,
      ],
    );
  await attempt(await event(oldMs, 1), 200, 1, true);
  await attempt(await event(nowMs - 120_000, 1), 204, 1, true);
  await pending(nowMs - 100_000, 0);
  await pending(nowMs - 99_000, 0);
  await attempt(await pending(nowMs - 98_000, 1), 503, 1, false);
  const dead = await event(nowMs - 97_000, 1);
  for (const number of [1, 2, 3]) await attempt(dead, 500, number, false);
  await sql(
    `insert into dead_letter (tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane,
       attempt_count, replayed, reason)
     values ($1, $2, $3, $4, nextval('delivery_seq'), now(), 1, 90, $5, 3, false, 'attempts_exhausted')`,
    [tenant, dead.delivery, dead.id, webhook, lane],
  );
  const cancelled = await event(nowMs - 96_000, 1);
  await sql(
    `insert into cancelled_delivery (tenant_id, id, event_id, webhook_id, cancelled_at, webhook_version, retention_class,
       attempt_count, replayed, reason)
     values ($1, $2, $3, $4, now(), 1, 90, 0, false, 'requested')`,
    [tenant, cancelled.delivery, cancelled.id, webhook],
  );
  const wide = await event(nowMs - 95_000, 1);
  await sql(
    `insert into fan_out (tenant_id, id, config_version, seq, retention_class, lane, webhook_ids, webhook_versions, webhook_lanes)
     values ($1, $2, 2, nextval('delivery_seq'), 90, $3, array[$4::uuid], array[1], array[$3::smallint])`,
    [tenant, wide.id, lane, webhook],
  );
  const elsewhere = await event(nowMs - 94_000, 0, other, 30);
  await sql(
    `insert into event_key (tenant_id, event_id, expires_at, retention_class, livemode, kind, key, request_hash)
     values ($1, $2, now() + interval '1 day', 30, true, 'key', 'order "7"', sha256('y'))`,
    [other, elsewhere.id],
  );
  await sql(
    `insert into batch (tenant_id, id, webhook_id, created_at, lane, member_ids) values ($1, $2, $3, now(), 0, array[$4::uuid])`,
    [other, uuid(), uuid(), uuid()],
  );
  await pools.end();
  return { secret, pendingCount: 4, eventCount: 9 };
}

/** Rows for the tables that came after the first release. */
export async function fillLaterTables(admin: pg.Client): Promise<void> {
  const minute = "date_trunc('minute', now())";
  await admin.query(`
    insert into rollup (tenant_id, webhook_id, minute, delivered_count) select tenant_id, id, ${minute}, 2 from webhook;
    insert into rollup_total (tenant_id, webhook_id, delivered_count) select tenant_id, id, 7 from webhook;
    insert into webhook_health (tenant_id, webhook_id, since, lane, score, status, phase, reason)
      select tenant_id, id, now(), lane, 40, 'failing', 'open', 'The receiver answered 500.' from webhook;
    insert into operational_notice (tenant_id, id, at, webhook_id, livemode, type, detail)
      select tenant_id, gen_random_uuid(), now(), id, livemode, 'webhook.disabled', '{"disabledReason": "owner"}' from webhook;
    insert into digest_channel (tenant_id, channel, updated_at, emails)
      select id, 'email', now(), '{it@example.com}' from tenant;
    insert into digest_entry (tenant_id, id, at, noted_at, email_due, chat_due, type, object)
      select id, gen_random_uuid(), now(), now(), true, false, 'module.silent', '{"name": "a"}' from tenant;
    insert into module (tenant_id, first_event_at, last_event_at, livemode, kind, name)
      select id, now(), now(), true, 'module', 'a' from tenant;
    insert into module_hour (tenant_id, hour, count, livemode, kind, name)
      select id, now(), 1, true, 'module', 'a' from tenant;
    insert into route (tenant_id, created_at, from_config_version, version, livemode, name, created_by, body)
      select id, now(), 2, 1, true, 'orders', 'key_1', '{"steps": [{"when": "order.x == \\"é\\"", "webhooks": []}]}' from tenant;
    insert into organisation_entry (tenant_id, valid_from, as_of, kind, id, name, parent_id, departments, teams)
      select id, 2, now(), 'user', 'user_1', 'Zoë "x"', 'emp_1', array['Sales'], array['north', 'a "team"'] from tenant;
    insert into expiry_watch (tenant_id, webhook_id, told_before_id)
      select tenant_id, id, id from webhook;
    insert into replay_job (tenant_id, id, webhook_id, from_id, before_id, created_at, updated_at, lane, livemode, dry_run,
        state, which, created_by, request_id, types)
      select tenant_id, gen_random_uuid(), id, id, id, now(), now(), lane, livemode, false, 'running', 'missed', 'key_1',
        'req_1', array['invoice.*'] from webhook;
    insert into correction (tenant_id, id, delivery_id, event_id, webhook_id, corrected_at, retention_class, corrected_by,
        request_id, note, changed, data)
      select tenant_id, gen_random_uuid(), gen_random_uuid(), id, id, now(), 90, 'key_1', 'req_1', 'a "note"',
        array['/data/n'], '\\x7b7d' from webhook;
    insert into snapshot (tenant_id, id, webhook_id, created_at, moved_at, records_per_second, lane, retention_class, livemode,
        state, event_type, token, created_by)
      select tenant_id, id, id, now(), now(), 50, lane, 90, livemode, 'running', 'customer.created', 'a "token"', 'key_1'
      from webhook;
    insert into snapshot_record (tenant_id, snapshot_id, event_id, line, retention_class)
      select tenant_id, id, gen_random_uuid(), 1, 90 from webhook;
    insert into definition (tenant_id, created_at, updated_at, config_version, version, kind, name, body)
      select id, now(), now(), 1, 1, 'rule', 'large_order', '{"expression": "order.total > 1"}' from tenant;
    insert into definition_version (tenant_id, created_at, from_config_version, version, kind, name, created_by, body)
      select id, now(), 1, 1, 'code_table', 'tax', 'key_1', '{"entries": {"SST-6": "GST06"}}' from tenant;
    insert into oauth_client (tenant_id, id, created_at, config_version, name, redirect_uris, scopes)
      select id, id, now(), 1, 'BI "x"', array['https://bi.example.com/cb'], array['read:events'] from tenant;
    insert into oauth_grant (tenant_id, id, client_id, granted_by, created_at, code_expires_at, scopes, code_hash,
        code_challenge, redirect_uri)
      select id, id, id, id, now(), now(), array['read:events'], sha256(id::text::bytea), 'challenge', 'https://bi.example.com/cb'
      from tenant;
    insert into rollup_tail (tenant_id, webhook_id, minute, id) select tenant_id, id, ${minute}, gen_random_uuid() from webhook;
    update delivery set due_at = 'infinity', held_reason = 'paused'
    where id = (select id from delivery where attempt_count = 0 order by id limit 1)`);
}

/** Columns by table, of the tables that a backup holds. */
export async function columnsOf(admin: pg.Client): Promise<Map<string, string[]>> {
  const columns = new Map<string, string[]>();
  for (const { table, name } of await listColumns(admin)) {
    if (tablesInFile().includes(table)) columns.set(table, [...(columns.get(table) ?? []), name]);
  }
  return columns;
}

/** Count and digest of the rows of each table, in these columns. */
export async function contentsOf(
  admin: pg.Client,
  columns: ReadonlyMap<string, readonly string[]>,
): Promise<Record<string, { rowCount: number; digest: string }>> {
  const contents: Record<string, { rowCount: number; digest: string }> = {};
  for (const [table, names] of columns) {
    const { rows } = await admin.query<{ n: number; digest: string }>(
      `select count(*)::int as n, coalesce(md5(string_agg(r, E'\\n' order by r)), '') as digest
       from (select row(${names.join(", ")})::text as r from ${table}) as texts`,
    );
    contents[table] = { rowCount: rows[0]?.n ?? 0, digest: rows[0]?.digest ?? "" };
  }
  return contents;
}

/** A backup in memory. */
export async function backUpToBuffer(
  connection: ConnectionConfig,
  options: Partial<BackupOptions> = {},
): Promise<Buffer> {
  const output = new PassThrough();
  const pieces: Buffer[] = [];
  output.on("data", (piece: Buffer) => pieces.push(piece));
  await backUp({ connection, output, program: "test", ...options });
  return Buffer.concat(pieces);
}
