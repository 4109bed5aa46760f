// A whole HTTP face on a database of its own: two tenants with keys, everything real but publishing and delivering.
import { createHash, randomFillSync } from "node:crypto";
import type { AddressInfo } from "node:net";
import { formatId, IdGenerator, uuidFromBytes } from "@posthorn/contract";
import type { FastifyInstance, InjectOptions } from "fastify";
import pg from "pg";
import { Authenticator } from "../../src/http/authenticate.ts";
import { type RouteHandlers, routeTable } from "../../src/http/routes.ts";
import { createHttpServer, type HttpServerOptions } from "../../src/http/server.ts";
import type { Clock } from "../../src/lib/clock.ts";
import { ensurePartitions } from "../../src/maintain/partitions.ts";
import { makeCatalogue } from "../../src/catalogue/catalogue.ts";
import { retryTimes } from "../../src/deliver/retry-policy.ts";
import { DeliveryLogs } from "../../src/http/read/delivery-logs.ts";
import { ParkedKeyList } from "../../src/http/read/parked-keys.ts";
import { Records } from "../../src/http/read/records.ts";
import { BulkCancellations } from "../../src/replay/cancel-many.ts";
import { Corrections } from "../../src/replay/correct.ts";
import { ReplayJobs } from "../../src/replay/jobs.ts";
import { ParkedKeys } from "../../src/replay/parked.ts";
import { Snapshots } from "../../src/replay/snapshots.ts";
import { Cancellations } from "../../src/replay/cancel.ts";
import { WebhookReplays } from "../../src/replay/replay-webhook.ts";
import { BulkRetries } from "../../src/replay/retry-many.ts";
import { Replays, type ReplaysOptions } from "../../src/replay/replay.ts";
import { Retries } from "../../src/replay/retry.ts";
import { CODE_TABLE_BODIES, RULE_BODIES } from "../../src/manage/definition-fields.ts";
import { DefinitionStore } from "../../src/manage/definitions.ts";
import { DigestSettings } from "../../src/manage/digest.ts";
import { Modules } from "../../src/manage/modules.ts";
import { Nodes } from "../../src/manage/nodes.ts";
import { SecretRotations } from "../../src/manage/secret-rotation.ts";
import { Applies } from "../../src/manage/apply.ts";
import { ApiKeys } from "../../src/manage/api-keys.ts";
import { AuditTrail } from "../../src/manage/audit.ts";
import { RouteStore } from "../../src/manage/routes.ts";
import { OrganisationTree } from "../../src/manage/organisation.ts";
import { Companies } from "../../src/manage/companies.ts";
import { OauthClients } from "../../src/manage/oauth-clients.ts";
import { OauthGrants } from "../../src/manage/oauth-grants.ts";
import { RegisteredTypes } from "../../src/manage/event-types.ts";
import { Tenants } from "../../src/manage/tenants.ts";
import { WebhookStatuses } from "../../src/manage/webhook-status.ts";
import { Webhooks } from "../../src/manage/webhooks.ts";
import type { Webhook } from "../../src/storage/configuration.ts";
import { openMasterKey } from "../../src/security/master-key.ts";
import { createVault } from "../../src/security/vault.ts";
import { openPools, type Pools } from "../../src/storage/pools.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";

export const CATALOGUE_NAMES = ["customer.created", "invoice.created", "invoice.paid", "invoice.partially_paid"];

export class TestClock implements Clock {
  atMs = Date.now();
  nowMs(): number {
    return this.atMs;
  }
  monotonicMs(): number {
    return this.atMs;
  }
}

export interface Json {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted on, not used
  readonly body: any;
}

export interface Face {
  readonly app: FastifyInstance;
  readonly database: TestDatabase;
  readonly pools: Pools;
  readonly owner: pg.Pool;
  readonly clock: TestClock;
  readonly ids: IdGenerator;
  /** Versions that the node was asked to read after a change. */
  readonly announced: number[];
  readonly configuration: { version: number; fresh: boolean; isFresh(): boolean };
  readonly errors: unknown[];
  /** Webhooks (UUIDs) whose owners were woken. */
  readonly woken: string[];
  addTenant(
    name: string,
    options?: { unknownEventTypes?: "refused" | "open"; retentionClass?: number },
  ): Promise<string>;
  /** Gives the text of a new key back. */
  addKey(tenantUuid: string, options?: KeyOptions): Promise<string>;
  call(key: string, method: string, url: string, body?: unknown, headers?: Record<string, string>): Promise<Json>;
  inject(options: InjectOptions): Promise<Json>;
  /** Listens on a free port of the loopback. */
  listen(): Promise<number>;
  close(): Promise<void>;
}

export interface KeyOptions {
  readonly livemode?: boolean;
  readonly scopes?: readonly string[];
  readonly allowedIps?: readonly string[] | null;
  readonly expiresAtMs?: number;
  readonly companyId?: string;
  /** Makes it this webhook's own read key. */
  readonly webhookUuid?: string;
}

/** What a test may put in the place of the real thing. */
export interface FaceOverrides {
  readonly publish?: RouteHandlers["publish"];
  readonly timeouts?: HttpServerOptions["timeouts"];
  readonly routeAgain?: ReplaysOptions["routeAgain"];
}

function testMasterKey() {
  const opened = openMasterKey(Buffer.alloc(32, 1).toString("base64"));
  if (!opened.ok) throw new Error(opened.message);
  return opened.key;
}

const notHere = (): never => {
  throw new Error("publishing is not part of this test");
};

export async function openFace(overrides: FaceOverrides = {}): Promise<Face> {
  const database = await createTestDatabase();
  const pools = openPools({ connection: database.connection, withRoles: true, onIdleError: () => {} });
  const owner = new pg.Pool({ ...database.connection, max: 2, options: "-c role=posthorn_engine" });
  const clock = new TestClock();
  await ensurePartitions(pools.owner, clock.nowMs(), [90]);
  const ids = new IdGenerator(
    () => clock.nowMs(),
    (target) => void randomFillSync(target),
  );
  const announced: number[] = [];
  const errors: unknown[] = [];
  const woken: string[] = [];
  const wake = (webhookUuids: readonly string[]) => void woken.push(...webhookUuids);
  const newId = () => ids.next();
  const configuration = { version: 1, fresh: true, isFresh: () => configuration.fresh };
  const plaintexts = new Map<string, string>();
  const webhooks = new Webhooks({
    api: pools.api,
    clock,
    newId,
    random: (target) => void randomFillSync(target),
    rules: {
      checkUrl: (url) =>
        url.startsWith("https://") ? { ok: true } : { ok: false, code: "URL_SCHEME", message: "Use https://." },
      catalogueNames: () => CATALOGUE_NAMES,
      warningsOf: () => [],
    },
    // Not an encryption: it shows that the place is handed over and that nothing but its result is stored.
    encryptSecret: async ({ plaintext, ...place }) => {
      const ciphertext = `v1.${Buffer.from(JSON.stringify({ ...place, length: plaintext.length })).toString("base64url")}`;
      plaintexts.set(ciphertext, plaintext);
      return ciphertext;
    },
    decryptSecret: async ({ ciphertext }) => plaintexts.get(ciphertext) ?? null,
    onConfigurationChanged: async (version) => {
      announced.push(version);
      configuration.version = version;
    },
  });
  const random = (target: Uint8Array): void => void randomFillSync(target);
  const changes = {
    api: pools.api,
    clock,
    newId,
    onConfigurationChanged: async (version: number) => {
      announced.push(version);
      configuration.version = version;
    },
  };
  // Every webhook is ordered by what the sender gave.
  const ordering = {
    findWebhook: async (tenantUuid: string, uuid: string) => ({ tenantUuid, uuid, orderingKey: true }) as Webhook,
    orderingKeyOf: (_webhook: Webhook, _event: unknown, sentKey: string | null) => sentKey,
  };
  const app = createHttpServer({
    routes: routeTable({
      webhooks,
      snapshots: {
        api: pools.api,
        catalogue: makeCatalogue([]),
        snapshots: new Snapshots({ api: pools.api, clock, newId, referenceOf: () => null, wake: () => {} }),
      },
      gaps: { countMissed: async () => ({ count: 0, isMore: false }) },
      applies: new Applies({ api: pools.api, clock, webhooks, warningsOf: () => [] }),
      secretRotations: new SecretRotations({ webhooks }),
      publish: overrides.publish ?? { event: notHere, batch: notHere, admit: () => null },
      records: new Records({ api: pools.api, clock, retryTimes }),
      deliveryLogs: new DeliveryLogs({ api: pools.api, clock }),
      retries: new Retries({ api: pools.api, clock, newId, wake }),
      bulkRetries: new BulkRetries({ api: pools.api, clock, newId, wake, chunkSize: 3 }),
      webhookReplays: new WebhookReplays({ api: pools.api, clock, newId, wake, chunkSize: 3, ...ordering }),
      parkedKeys: {
        list: new ParkedKeyList(pools.api),
        parkedKeys: new ParkedKeys({ api: pools.api, clock, newId, wake }),
        corrections: new Corrections({ api: pools.api, clock, newId, wake }),
      },
      cancellations: new Cancellations({ api: pools.api, clock, newId, wake }),
      bulkCancellations: {
        cancellations: new BulkCancellations({ api: pools.api, clock, newId, wake }),
        findEvent: async () => null,
        hasWebhook: async () => false,
      },
      replayJobs: {
        api: pools.api,
        findWebhook: async () => null,
        jobs: new ReplayJobs({ api: pools.api, clock, newId, wake: () => wake([]) }),
      },
      webhookStatuses: new WebhookStatuses({
        api: pools.api,
        clock,
        newId,
        onConfigurationChanged: async (version) => {
          announced.push(version);
          configuration.version = version;
        },
      }),
      previews: {
        api: pools.api,
        catalogue: makeCatalogue([]),
        records: new Records({ api: pools.api, clock, retryTimes }),
        webhooks,
        bodies: { bodyOf: notHere, batchBodyOf: notHere },
        namesOf: notHere,
        tagsOf: notHere,
        definitionsOf: notHere,
        warningsOf: () => [],
        newId,
        tenantOf: notHere,
        timestampOfEvent: notHere,
        nowMs: () => clock.nowMs(),
      },
      oneRequests: {
        api: pools.api,
        catalogue: makeCatalogue([]),
        requests: { test: notHere, show: notHere },
        findWebhook: async () => null,
        newId,
        timestampOfEvent: notHere,
      },
      diagnoses: { diagnoses: { diagnose: notHere }, catalogue: makeCatalogue([]), nowMs: () => clock.nowMs() },
      replays: new Replays({
        api: pools.api,
        clock,
        newId,
        wake,
        ...ordering,
        routeAgain: overrides.routeAgain ?? (async () => []),
      }),
      eventTypes: { api: pools.api, catalogue: makeCatalogue([]) },
      registeredTypes: new RegisteredTypes({ ...changes, isPublished: (name) => CATALOGUE_NAMES.includes(name) }),
      apiKeys: new ApiKeys({ ...changes, random }),
      oauthClients: new OauthClients(changes),
      oauthGrants: new OauthGrants({ ...changes, random }),
      rules: new DefinitionStore(changes, RULE_BODIES),
      codeTables: new DefinitionStore(changes, CODE_TABLE_BODIES),
      companies: new Companies(changes),
      organisation: new OrganisationTree(changes),
      routes: new RouteStore(changes),
      tenants: new Tenants({
        ...changes,
        engine: pools.engine,
        random,
        vault: createVault({ engine: pools.engine, masterKey: testMasterKey(), clock, ids, random }),
        preparePartitions: async (days) => void (await ensurePartitions(pools.owner, clock.nowMs(), [days])),
      }),
      digest: new DigestSettings({
        ...changes,
        engine: pools.engine,
        vault: { encryptSecret: async () => "v1.x" },
        checkUrl: () => ({ ok: true }),
        telling: {
          sendMail: undefined,
          sendChat: async () => ({ kind: "told", problem: null }),
          openChatUrl: async () => "",
        },
      }),
      nodes: new Nodes(pools.engine),
      modules: new Modules({ api: pools.api, clock }),
      audit: new AuditTrail(pools.api),
    }),
    authenticator: new Authenticator({ api: pools.api, clock, configuration }),
    clock,
    newRequestId: () => formatId("request", ids.next()),
    log: { isLevelEnabled: () => false, debug: () => {}, error: (fields) => errors.push(fields["err"]) },
    ...(overrides.timeouts === undefined ? {} : { timeouts: overrides.timeouts }),
  });
  await app.ready();
  const inject = async (options: InjectOptions): Promise<Json> => {
    const response = await app.inject(options);
    const text = response.payload;
    return { status: response.statusCode, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  };
  return {
    app,
    database,
    pools,
    owner,
    clock,
    ids,
    announced,
    configuration,
    errors,
    woken,
    inject,
    async listen() {
      await app.listen({ port: 0, host: "127.0.0.1" });
      return (app.server.address() as AddressInfo).port;
    },
    async addTenant(name, options = {}) {
      const uuid = uuidFromBytes(ids.next());
      await owner.query(
        `insert into tenant (id, created_at, config_version, name, unknown_event_types, retention_class)
         values ($1, now(), 1, $2, $3, $4)`,
        [uuid, name, options.unknownEventTypes ?? "refused", options.retentionClass ?? 90],
      );
      return uuid;
    },
    async addKey(tenantUuid, options = {}) {
      const livemode = options.livemode ?? true;
      const key = `blg_${livemode ? "live" : "test"}_sk_${uuidFromBytes(ids.next()).replaceAll("-", "")}`;
      await owner.query(
        `insert into api_key (tenant_id, id, created_at, expires_at, config_version, livemode, key_hash, name,
           last_characters, scopes, allowed_ips, company_id, webhook_id)
         values ($1, $2, now(), to_timestamp($3::float8 / 1000), 1, $4, $5, 'test', 'test', $6, $7, $8, $9)`,
        [
          tenantUuid,
          uuidFromBytes(ids.next()),
          options.expiresAtMs ?? null,
          livemode,
          createHash("sha256").update(key).digest(),
          options.scopes ?? ["admin"],
          options.allowedIps ?? null,
          options.companyId ?? null,
          options.webhookUuid ?? null,
        ],
      );
      return key;
    },
    async call(key, method, url, body, headers = {}) {
      return inject({
        method: method as "GET",
        url: `/v1${url}`,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
      });
    },
    async close() {
      await app.close();
      await owner.end();
      await pools.end();
      await database.drop();
    },
  };
}
