// Figures of webhooks: whatever is recorded, repeated, retried, folded and dropped, in whatever order and however late,
// they are what a model says and what counting all rows gives.
import { mkdtemp, readdir, copyFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Outcome } from "../../src/deliver/decide.ts";
import { expireDeliveries } from "../../src/maintain/expire.ts";
import { DAY_MS } from "../../src/maintain/days.ts";
import { dropExpiredPartitions, ensurePartitions } from "../../src/maintain/partitions.ts";
import { foldTail } from "../../src/maintain/rollup.sql.ts";
import { dropOldMinutes, foldRollups, MINUTES_KEPT_DAYS } from "../../src/maintain/rollup.ts";
import { selectStatistics } from "../../src/manage/statistics.sql.ts";
import { recordResults, type ResultRow } from "../../src/record/record.sql.ts";
import { reviveDeadLetter } from "../../src/replay/retry.sql.ts";
import type { NodeIdentity } from "../../src/storage/fence.ts";
import { migrate } from "../../src/storage/migrate.ts";
import { asTenant, inTransaction } from "../../src/storage/pools.ts";
import {
  COUNTED_OUTCOMES,
  DURATION_BOUNDS_MS,
  DURATION_COLUMNS,
  outcomeColumn,
  SUMMED_COLUMNS,
} from "../../src/storage/rollup-columns.ts";
import { withLock } from "../../src/storage/advisory-locks.sql.ts";
import { createTestDatabase } from "../support/database.ts";
import { createPooledDatabase, type PooledDatabase, uuidAt } from "./fixtures.ts";

const NOW = Date.UTC(2026, 10, 23, 15, 30);
const ALL_OUTCOMES: Record<Outcome, true> = {
  delivered: true,
  rejected: true,
  rejected_by_rule: true,
  throttled: true,
  gone: true,
  timed_out: true,
  connection_failed: true,
  tls_failed: true,
  blocked: true,
  invalid_response: true,
  interrupted: true,
};

const bytesOf = (uuid: string): Uint8Array => Buffer.from(uuid.replaceAll("-", ""), "hex");

interface Figures {
  delivered: number;
  failed: number;
  lastMs: number | null;
  answered: number;
  answeredMs: number;
}

/** One tenant with three webhooks, what they are owed, and what their figures must be. */
class World {
  readonly tenant = uuidAt(NOW);
  readonly webhooks = [uuidAt(NOW), uuidAt(NOW), uuidAt(NOW)];
  readonly model = new Map<string, Figures>();
  readonly #database: PooledDatabase;
  readonly #node: NodeIdentity;
  readonly #dead: { uuid: string; webhook: string }[] = [];
  readonly #recorded: ResultRow[] = [];

  constructor(database: PooledDatabase) {
    this.#database = database;
    const uuid = uuidAt(NOW);
    this.#node = { uuid, id: "node", incarnation: 1, idBytes: bytesOf(uuid) };
    for (const webhook of this.webhooks) {
      this.model.set(webhook, { delivered: 0, failed: 0, lastMs: null, answered: 0, answeredMs: 0 });
    }
  }

  async start(): Promise<this> {
    await this.#database.admin.query(
      `insert into node (id, incarnation, started_at, beat_at, process_id, alive, version, host)
       values ($1, 1, now(), now(), 1, true, 'x', 'x')`,
      [this.#node.uuid],
    );
    await this.#database.admin.query(
      "insert into tenant (id, created_at, config_version, name) values ($1, now(), 1, $2)",
      [this.tenant, `tenant ${this.tenant}`],
    );
    return this;
  }

  /** Results of one batch; `isOwed: false` is a second, late result of a delivery that has ended. */
  async record(results: readonly Result[]): Promise<void> {
    const rows = results.map((result) => this.#row(result));
    for (const [index, row] of rows.entries()) {
      if (results[index]?.isOwed !== false) await this.#owe(row);
    }
    const { engine } = this.#database.pools;
    expect((await recordResults(engine, this.#node, rows)).fence_held).toBe(1);
    for (const [index, row] of rows.entries()) this.#count(row, results[index]?.isOwed !== false);
    this.#recorded.push(...rows);
  }

  /** What a node does whose answer was lost: the very same rows once more. */
  async repeat(pick: number): Promise<void> {
    const row = this.#recorded[pick % this.#recorded.length];
    if (row !== undefined) await recordResults(this.#database.pools.engine, this.#node, [row], true);
  }

  async retryDead(pick: number): Promise<void> {
    const [found] = this.#dead.splice(pick % Math.max(1, this.#dead.length), 1);
    if (found === undefined) return;
    const { api } = this.#database.pools;
    const dueAt = new Date(NOW).toISOString();
    const done = await asTenant(api, this.tenant, (db) => reviveDeadLetter(db, this.tenant, found.uuid, dueAt));
    expect(done).toBe(true);
    this.#of(found.webhook).failed -= 1;
    // Out of the way of the next step that expires what is old.
    await this.#database.admin.query("delete from delivery where id = $1", [found.uuid]);
  }

  /** A delivery whose event is about to go. */
  async expire(webhookIndex: number): Promise<void> {
    const row = this.#row({ webhook: webhookIndex, verdict: "dead_letter", outcome: null, lateMs: 0, durationMs: 0 });
    await this.#owe({ ...row, eventBytes: bytesOf(uuidAt(NOW - 90 * DAY_MS)) });
    const uuid = Buffer.from(row.deliveryBytes).toString("hex");
    await this.#database.admin.query("update delivery set replayed = true, event_id = $2 where id = $1", [
      uuid,
      uuidAt(NOW - 90 * DAY_MS),
    ]);
    const { owner, engine } = this.#database.pools;
    expect(await expireDeliveries(owner, engine, NOW)).toBe(1);
    const webhook = this.webhooks[webhookIndex % 3] as string;
    this.#of(webhook).failed += 1;
    this.#dead.push({ uuid, webhook });
  }

  async figures(): Promise<Map<string, Figures>> {
    const { api } = this.#database.pools;
    const rows = await asTenant(api, this.tenant, (db) => selectStatistics(db, this.tenant, this.webhooks));
    const found = new Map(
      this.webhooks.map((id): [string, Figures] => [
        id,
        { delivered: 0, failed: 0, lastMs: null, answered: 0, answeredMs: 0 },
      ]),
    );
    for (const row of rows) {
      found.set(row.webhook_id, {
        delivered: row.total_delivered,
        failed: row.total_failed,
        lastMs: row.last_delivery?.getTime() ?? null,
        answered: row.answered_count,
        answeredMs: row.answered_duration_ms,
      });
    }
    return found;
  }

  #of(webhook: string): Figures {
    return this.model.get(webhook) as Figures;
  }

  #count(row: ResultRow, isOwed: boolean): void {
    const webhook = uuidText(row.webhookBytes);
    const figures = this.#of(webhook);
    const { attempt } = row;
    if (attempt !== null && attempt.responseStatus !== null) {
      figures.answered += 1;
      figures.answeredMs += attempt.durationMs;
    }
    if (attempt !== null && row.verdict === "delivered" && isOwed) {
      figures.delivered += 1;
      figures.lastMs = Math.max(figures.lastMs ?? 0, attempt.startedAtMs + attempt.durationMs);
    }
    if (row.verdict === "dead_letter" && isOwed) {
      figures.failed += 1;
      this.#dead.push({ uuid: uuidText(row.deliveryBytes), webhook });
    }
  }

  #row({ webhook, verdict, outcome, lateMs, durationMs }: Result): ResultRow {
    const startedAtMs = NOW - lateMs;
    return {
      tenantBytes: bytesOf(this.tenant),
      deliveryBytes: bytesOf(uuidAt(NOW)),
      eventBytes: bytesOf(uuidAt(NOW)),
      webhookBytes: bytesOf(this.webhooks[webhook % 3] as string),
      retentionClass: 90,
      replayed: false,
      verdict,
      reason: verdict === "dead_letter" ? "attempts_exhausted" : verdict === "cancelled" ? "requested" : null,
      nextAttemptAtMs: verdict === "retry" ? NOW + 1_000 : null,
      attempt:
        outcome === null
          ? null
          : {
              idBytes: bytesOf(uuidAt(startedAtMs)),
              number: 1,
              trigger: "initial",
              startedAtMs,
              durationMs,
              dnsMs: null,
              connectMs: null,
              tlsMs: null,
              firstByteMs: null,
              webhookVersion: 1,
              outcome,
              outcomeCode: null,
              url: "https://example.com",
              address: null,
              bodyLength: 1,
              bodyHash: new Uint8Array(32),
              responseStatus: ["delivered", "rejected", "throttled", "gone"].includes(outcome) ? 200 : null,
              responseHeaders: null,
              responseBody: null,
              responseTruncated: false,
              warnings: null,
              extracted: null,
              externalId: null,
              batchBytes: null,
              sharesRequest: false,
              correctionBytes: null,
            },
    };
  }

  async #owe(row: ResultRow): Promise<void> {
    await this.#database.admin.query(
      `insert into delivery (tenant_id, id, event_id, webhook_id, seq, due_at, webhook_version, retention_class, lane)
       values ($1, $2, $3, $4, 1, now(), 1, 90, 1)`,
      [row.tenantBytes, row.deliveryBytes, row.eventBytes, row.webhookBytes].map(uuidText),
    );
  }
}

function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes).toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

interface Result {
  readonly webhook: number;
  readonly verdict: ResultRow["verdict"];
  /** Null: ended without a request. */
  readonly outcome: string | null;
  /** How long ago the attempt was made that is recorded only now. */
  readonly lateMs: number;
  readonly durationMs: number;
  readonly isOwed?: boolean;
}

const webhook = fc.nat(2);
const lateMs = fc.oneof(fc.constant(0), fc.nat(120_000), fc.integer({ min: 3_600_000, max: 20 * 3_600_000 }));
const durationMs = fc.oneof(fc.constantFrom(0, 9, 10, 9_999, 10_000), fc.nat(20_000));
const failedOutcome = fc.constantFrom(...COUNTED_OUTCOMES.filter((outcome) => outcome !== "delivered"));
const result: fc.Arbitrary<Result> = fc.oneof(
  fc.record({
    webhook,
    verdict: fc.constant("delivered" as const),
    outcome: fc.constant("delivered"),
    lateMs,
    durationMs,
    isOwed: fc.boolean(),
  }),
  fc.record({
    webhook,
    verdict: fc.constantFrom("dead_letter", "cancelled"),
    outcome: fc.option(failedOutcome),
    lateMs,
    durationMs,
  }),
  fc.record({ webhook, verdict: fc.constant("retry" as const), outcome: failedOutcome, lateMs, durationMs }),
);
type Step =
  | { readonly kind: "record"; readonly results: readonly Result[] }
  | { readonly kind: "repeat" | "retry" | "expire" | "fold" | "fold_twice_at_once" | "crash"; readonly pick: number }
  | { readonly kind: "fold_while_recording"; readonly results: readonly Result[] };
const results = fc.array(result, { minLength: 1, maxLength: 6 });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("record" as const), results }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("fold_while_recording" as const), results }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constantFrom("repeat", "retry", "retry", "expire", "fold", "fold_twice_at_once", "crash"),
      pick: fc.nat(50),
    }),
  },
);

async function take(world: World, { pools }: PooledDatabase, each: Step): Promise<void> {
  const fold = (chunkSize: number) => foldRollups(pools.owner, pools.engine, chunkSize);
  switch (each.kind) {
    case "record":
      return world.record(each.results);
    case "fold_while_recording":
      await Promise.all([world.record(each.results), fold(2)]);
      return;
    case "repeat":
      return world.repeat(each.pick);
    case "retry":
      return world.retryDead(each.pick);
    case "expire":
      return world.expire(each.pick);
    case "fold":
      await fold(1 + (each.pick % 7));
      return;
    case "fold_twice_at_once":
      // Past the lock too: what two nodes do whose lock failed them.
      await Promise.all([fold(3), foldTail(pools.engine, 1), foldTail(pools.engine, 1)]);
      return;
    case "crash":
      await inTransaction(pools.engine as pg.Pool, async (db) => {
        await foldTail(db, 100);
        throw new Error("killed");
      }).catch(() => undefined);
      return;
    default:
      each satisfies never;
  }
}

/** Sums of the stored figures and of the rows themselves, by webhook and minute; all columns. */
async function countBothWays(admin: pg.Client, tenant: string): Promise<{ stored: unknown[]; counted: unknown[] }> {
  const arrived = "ends_delivery and outcome = 'delivered'";
  const bounds = [0, ...DURATION_BOUNDS_MS, 2 ** 31 - 1];
  const counted = [
    ["duration_ms_sum", "coalesce(sum(duration_ms) filter (where response_status is not null), 0)"],
    ["delivered_count", `count(*) filter (where ${arrived})`],
    ["failed_count", "count(*) filter (where dead)"],
    ...COUNTED_OUTCOMES.map((outcome) => [outcomeColumn(outcome), `count(*) filter (where outcome = '${outcome}')`]),
    ...DURATION_COLUMNS.map((column, index) => [
      column,
      `count(*) filter (where response_status is not null and duration_ms >= ${bounds[index]} and duration_ms < ${bounds[index + 1]})`,
    ]),
  ];
  const rows = await admin.query(
    `select webhook_id, minute, max(started_at + duration_ms * interval '1 ms') filter (where ${arrived}) as last_delivered_at,
       ${counted.map(([name, sql]) => `(${sql})::text as ${name}`).join(", ")}
     from (
       select webhook_id, date_trunc('minute', started_at) as minute, started_at, duration_ms, response_status, ends_delivery,
         outcome, false as dead
       from attempt where tenant_id = $1
       union all
       select webhook_id, date_trunc('minute', dead_at), null, null, null, null, null, true from dead_letter where tenant_id = $1
     ) r
     group by 1, 2 order by 1, 2`,
    [tenant],
  );
  const stored = await admin.query(
    `select webhook_id, minute, last_delivered_at, ${SUMMED_COLUMNS.map((name) => `${name}::text as ${name}`).join(", ")}
     from rollup where tenant_id = $1 and (${SUMMED_COLUMNS.map((name) => `${name} <> 0`).join(" or ")})
     order by 1, 2`,
    [tenant],
  );
  return { stored: stored.rows, counted: rows.rows };
}

describe.each([true, false])("with roles: %s", (withRoles) => {
  let database: PooledDatabase;
  beforeAll(async () => {
    database = await createPooledDatabase({ withRoles });
    await ensurePartitions(database.pools.owner, NOW, [90]);
  });
  afterAll(() => database.close());

  test("figures are what happened, at every moment and whenever it was written down", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 30 }), async (steps) => {
        const world = await new World(database).start();
        for (const each of steps) {
          await take(world, database, each);
          expect(await world.figures()).toEqual(world.model);
        }
        await foldRollups(database.pools.owner, database.pools.engine, 1_000);
        expect(await world.figures()).toEqual(world.model);
        const { stored, counted } = await countBothWays(database.admin, world.tenant);
        expect(stored).toEqual(counted);
      }),
      { numRuns: withRoles ? 12 : 4 },
    );
  }, 240_000);
});

describe("what is kept", () => {
  let database: PooledDatabase;
  let world: World;
  const delivered: Result = { webhook: 0, verdict: "delivered", outcome: "delivered", lateMs: 0, durationMs: 5 };
  const dead: Result = { webhook: 0, verdict: "dead_letter", outcome: "timed_out", lateMs: 0, durationMs: 5 };
  beforeAll(async () => {
    database = await createPooledDatabase();
    await ensurePartitions(database.pools.owner, NOW, [90]);
    world = await new World(database).start();
  });
  afterAll(() => database.close());
  const minutes = async () => (await database.admin.query("select count(*)::int4 as n from rollup")).rows[0].n;

  test("figures stay when retention drops the rows that they were counted from", async () => {
    await world.record([delivered, delivered, dead]);
    await foldRollups(database.pools.owner, database.pools.engine);
    await world.record([delivered]);
    const later = NOW + 100 * DAY_MS;
    await database.admin.query("delete from delivery");
    const { dropped } = (await dropExpiredPartitions(database.pools.owner, database.pools.engine, later)) ?? {};
    expect(dropped?.length).toBeGreaterThan(0);
    expect((await database.admin.query("select from attempt")).rowCount).toBe(0);
    expect(await world.figures()).toEqual(world.model);
    expect(world.model.get(world.webhooks[0] as string)).toMatchObject({ delivered: 3, failed: 1 });
  });

  test("minutes go after ninety days, in chunks, and the totals stay", async () => {
    await foldRollups(database.pools.owner, database.pools.engine);
    const { engine } = database.pools;
    expect(await minutes()).toBeGreaterThan(0);
    expect(await dropOldMinutes(engine, NOW + (MINUTES_KEPT_DAYS - 1) * DAY_MS)).toBe(0);
    const dropped = await dropOldMinutes(engine, NOW + 400_000 * DAY_MS, 1);
    expect([dropped > 0, await minutes()]).toEqual([true, 0]);
    expect(await world.figures()).toEqual(world.model);
  });

  test("a node that finds another one folding leaves it to that one", async () => {
    await ensurePartitions(database.pools.owner, NOW, [90]);
    await world.record([delivered]);
    const { owner, engine } = database.pools;
    expect(await withLock(owner, "rollup", () => foldRollups(owner, engine))).toBe(0);
    expect(await world.figures()).toEqual(world.model);
    expect(await foldRollups(owner, engine)).toBe(1);
    expect(await foldRollups(owner, engine)).toBe(0);
  });
});

test("there is a column for each outcome that deliver knows, in both tables", async () => {
  expect([...COUNTED_OUTCOMES].sort()).toEqual(Object.keys(ALL_OUTCOMES).sort());
  const database = await createPooledDatabase();
  for (const table of ["rollup", "rollup_total"]) {
    const { rows } = await database.admin.query(
      `select array_agg(column_name::text order by column_name) as names from information_schema.columns
       where table_name = $1 and column_name not in ('tenant_id', 'webhook_id', 'minute', 'last_delivered_at')`,
      [table],
    );
    expect(rows[0].names).toEqual([...SUMMED_COLUMNS].sort());
  }
  await database.close();
});

test("a database that has history already begins with the figures of it", async () => {
  const folder = new URL("../../migrations/", import.meta.url);
  const before = await mkdtemp(join(tmpdir(), "posthorn-migrations-"));
  const files = (await readdir(folder)).filter((name) => name < "0004");
  for (const name of files) await copyFile(new URL(name, folder), join(before, name));
  const database = await createTestDatabase({ migrated: false });
  await migrate(database.connection, before);
  const admin = new pg.Client(database.connection);
  await admin.connect();
  const owner = new pg.Pool({ ...database.connection, max: 2 });
  await ensurePartitions(owner, NOW, [90]);
  const [tenant, hook] = [uuidAt(NOW), uuidAt(NOW)];
  const attempt = (ends: boolean, ms: number, status: number | null) =>
    admin.query(
      `insert into attempt (tenant_id, id, delivery_id, event_id, webhook_id, started_at, duration_ms, body_length,
         webhook_version, retention_class, number, response_status, ends_delivery, replayed, trigger, outcome, url)
       values ($1, $2, $2, $2, $3, $4, $5, 1, 1, 90, 1, $6, $7, false, 'initial', $8, '')`,
      [tenant, uuidAt(NOW), hook, new Date(NOW), ms, status, ends, ends ? "delivered" : "timed_out"],
    );
  await attempt(true, 30, 204);
  await attempt(true, 10_000, 200);
  await attempt(false, 15_000, null);
  await admin.query(
    `insert into dead_letter (tenant_id, id, event_id, webhook_id, seq, dead_at, webhook_version, retention_class, lane,
       attempt_count, replayed, reason) values ($1, $2, $2, $3, 1, now(), 1, 90, 1, 1, false, 'expired')`,
    [tenant, uuidAt(NOW), hook],
  );
  await migrate(database.connection);
  const fold = { query: (query: pg.QueryConfig) => admin.query(query) } as unknown as pg.Pool;
  const expected = { delivered_count: "2", failed_count: "1", attempt_timed_out_count: "1", longer_count: "1" };
  await foldTail(fold, 100);
  const { rows } = await admin.query("select * from rollup_total");
  expect(rows).toEqual([expect.objectContaining({ ...expected, under_50_ms_count: "1", duration_ms_sum: "10030" })]);
  await owner.end();
  await admin.end();
  await database.drop();
  await rm(before, { recursive: true });
});
