// Thousands of webhooks at once, as copies of one that the API made: written as the program would write them, with lanes,
// versions and sealed secrets of their own, because thousands of calls would take a test minutes.
import { randomFillSync } from "node:crypto";
import { IdGenerator, idFromUuid, parseId, uuidFromBytes } from "@posthorn/contract";
import type pg from "pg";
import { laneOf } from "../../../src/lib/lane.ts";
import { openMasterKey } from "../../../src/security/master-key.ts";
import { createVault } from "../../../src/security/vault.ts";
import type { Executor } from "../../../src/storage/pools.ts";

export interface CopiedWebhook {
  readonly uuid: string;
  readonly url: string;
  readonly secret: string;
}

const COPY = `
with raised as (update config_version set version = version + 1 returning version),
model as (select w.*, raised.version as raised from webhook w, raised where w.id = $1),
given as (
  select * from unnest($2::uuid[], $3::int2[], $4::text[], $5::uuid[], $6::text[]) as g (id, lane, url, secret_id, ciphertext)
),
webhooks as (
  insert into webhook (tenant_id, id, created_at, updated_at, config_version, version, lane, livemode, status, configuration)
  select m.tenant_id, g.id, m.created_at, m.updated_at, m.raised, 1, g.lane, m.livemode, 'enabled',
    (m.configuration::jsonb || jsonb_build_object('url', g.url, 'name', g.id))::json
  from model m, given g
  returning tenant_id, id, created_at, config_version, configuration
),
versions as (
  insert into webhook_version (tenant_id, webhook_id, created_at, from_config_version, version, created_by, configuration)
  select tenant_id, id, created_at, config_version, 1, 'test', configuration from webhooks
)
insert into secret (tenant_id, id, webhook_id, created_at, config_version, purpose, ciphertext)
select m.tenant_id, g.secret_id, g.id, m.created_at, m.raised, 'signing', g.ciphertext from model m, given g`;

/**
 * Copies the webhook with this id to each of `urls`, with secrets of their own, in one change of the configuration.
 * @param masterKey base64, as the nodes have it
 */
export async function copyWebhook(
  pool: pg.Pool,
  masterKey: string,
  modelUuid: string,
  copies: readonly { readonly url: string; readonly secret: string }[],
): Promise<CopiedWebhook[]> {
  const random = (target: Uint8Array): void => void randomFillSync(target);
  const ids = new IdGenerator(() => Date.now(), random);
  const opened = openMasterKey(masterKey);
  if (!opened.ok) throw new Error(opened.message);
  const clock = { nowMs: () => Date.now(), monotonicMs: () => performance.now() };
  const vault = createVault({ engine: pool, masterKey: opened.key, clock, ids, random });
  const { rows } = await pool.query<{ tenant_id: string }>("select tenant_id from webhook where id = $1", [modelUuid]);
  const tenantUuid = rows[0]?.tenant_id as string;
  // The one thing that is asked for each secret is the tenant's key: the same answer every time.
  let answer: Promise<pg.QueryResult> | undefined;
  const once = { query: (query: pg.QueryConfig) => (answer ??= pool.query(query)) } as Executor;
  const made = await Promise.all(
    copies.map(async ({ url, secret }) => {
      const uuid = uuidFromBytes(ids.next());
      const secretUuid = uuidFromBytes(ids.next());
      const place = { tenantUuid, table: "secret", column: "ciphertext", rowId: secretUuid };
      const ciphertext = await vault.encryptSecret(once, { ...place, plaintext: secret });
      const lane = laneOf(parseId("webhook", idFromUuid("webhook", uuid)) as Uint8Array);
      return { uuid, url, secret, secretUuid, ciphertext, lane };
    }),
  );
  await pool.query(COPY, [
    modelUuid,
    made.map(({ uuid }) => uuid),
    made.map(({ lane }) => lane),
    made.map(({ url }) => url),
    made.map(({ secretUuid }) => secretUuid),
    made.map(({ ciphertext }) => ciphertext),
  ]);
  return made;
}
