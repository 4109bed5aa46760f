// Statements that clear signing secrets whose rotation is over. Engine role, all tenants.
import type { Executor } from "../storage/pools.ts";

export interface RetiredSecretRow {
  readonly tenant_id: string;
  readonly webhook_id: string;
}

/**
 * Destroys the secrets whose time is over, by index secret_ending. The leading one of a rotation that was never switched
 * goes only where another waits to take its place.
 */
export async function deleteEndedSecrets(engine: Executor, nowMs: number): Promise<RetiredSecretRow[]> {
  const { rows } = await engine.query<RetiredSecretRow>({
    text: `
      delete from secret s
      where s.valid_until_at <= to_timestamp($1::float8 / 1000)
        and (s.purpose <> 'signing' or exists (
          select from secret n
          where n.tenant_id = s.tenant_id and n.webhook_id = s.webhook_id and n.purpose = 'signing_next'))
      returning s.tenant_id, s.webhook_id`,
    values: [nowMs],
  });
  return rows;
}

/** Gives the secrets that waited the place that became free, by index secret_place. */
export async function promoteNextSecrets(engine: Executor, retired: readonly RetiredSecretRow[]): Promise<void> {
  await engine.query({
    text: `
      update secret s
      set purpose = 'signing'
      from unnest($1::uuid[], $2::uuid[]) as r (tenant_id, webhook_id)
      where s.tenant_id = r.tenant_id and s.webhook_id = r.webhook_id and s.purpose = 'signing_next'
        and not exists (
          select from secret c
          where c.tenant_id = s.tenant_id and c.webhook_id = s.webhook_id and c.purpose = 'signing')`,
    values: [retired.map((row) => row.tenant_id), retired.map((row) => row.webhook_id)],
  });
}
