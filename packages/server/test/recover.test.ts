// A lost administrator: a new key straight in the database, whether the embedded server runs or not, and in one's own.
import { existsSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type RecoverOptions, recoverAdministrator } from "../src/recover.ts";
import { readSettings } from "../src/lib/settings.ts";
import { serve } from "../src/serve.ts";
import { createTestDatabase, type TestConnection } from "./support/database.ts";
import { newFolder } from "./support/folder.ts";
import { callApi, startTestNode, type TestNode } from "./support/node.ts";

function settingsOf(flags: Record<string, string>) {
  const result = readSettings({ POSTHORN_LOG_LEVEL: "silent" }, flags);
  if (!result.ok) throw new Error(result.errors.map((error) => error.message).join());
  return result.settings;
}
function urlOf({ host, user, password, database, port }: TestConnection): string {
  return `postgres://${user}:${encodeURIComponent(password)}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`;
}
async function recovered(options: RecoverOptions) {
  const result = await recoverAdministrator(options);
  if (result.outcome === "refused") throw new Error(`${result.code}: ${result.message}`);
  return result;
}

describe("in a database of one's own, while nodes run", () => {
  let node: TestNode;
  beforeAll(async () => {
    node = await startTestNode();
  });
  afterAll(() => node?.stop());
  const settings = () => settingsOf({ "database-url": urlOf(node.database.connection as TestConnection) });
  const call = (apiKey: string, method: string, path: string, body?: unknown) =>
    callApi(node.node.url, method, path, body, { authorization: `Bearer ${apiKey}` });

  test("the new key administers its tenant at once, though the old one is lost; the trail says operator", async () => {
    await node.sql("update api_key set revoked_at = now()");
    await node.sql("update config_version set version = version + 1");
    const result = await recovered({ settings: settings(), tenant: "default", keyName: "found again" });
    expect(result).toMatchObject({ tenantName: "default", apiKey: expect.stringMatching(/^blg_live_sk_/) });
    const keys = await call(result.apiKey, "GET", "/v1/api-keys");
    expect(keys.body.data[0]).toMatchObject({ id: result.keyId, name: "found again", scopes: ["admin"] });
    const trail = await call(result.apiKey, "GET", `/v1/audit?objectId=${result.keyId}`);
    expect(trail.body.data).toMatchObject([{ actor: "operator", action: "api_key.created", requestId: null }]);
    expect((await call(result.apiKey, "GET", "/v1/tenants")).status).toBe(403);
  });

  test("a tenant is named by its id too; the key can be an operator's, or a sandbox key", async () => {
    const { tenantId } = await recovered({ settings: settings(), tenant: "default" });
    const operator = await recovered({ settings: settings(), tenant: tenantId, asOperator: true });
    expect((await call(operator.apiKey, "GET", "/v1/tenants")).status).toBe(200);
    const sandbox = await recovered({ settings: settings(), tenant: tenantId, sandbox: true });
    expect(sandbox.apiKey).toMatch(/^blg_test_sk_/);
  });

  test("an unknown tenant is refused by name, with those that there are, and nothing is made", async () => {
    const count = () => node.sql("select count(*)::int as n from api_key");
    const before = await count();
    for (const tenant of ["acme", "ten_01890000000070008000000000"]) {
      const result = await recoverAdministrator({ settings: settings(), tenant });
      expect(result).toMatchObject({ outcome: "refused", code: "TENANT_NOT_FOUND" });
      if (result.outcome === "refused") expect(result.message).toContain('"default"');
    }
    expect(await count()).toEqual(before);
  });
});

test("a database that was never migrated is refused and stays as it is", async () => {
  const database = await createTestDatabase({ migrated: false });
  const settings = settingsOf({ "database-url": urlOf(database.connection) });
  const result = await recoverAdministrator({ settings, tenant: "default" });
  expect(result).toMatchObject({ outcome: "refused", code: "SCHEMA_NOT_MIGRATED" });
  await database.drop();
});

describe("beside the embedded server", () => {
  let dataDir: string;
  beforeAll(async () => {
    dataDir = newFolder("posthorn-recover-");
  });
  afterAll(() => rm(dataDir, { recursive: true, force: true }));

  test("that runs: the key works at once; that is stopped: at the next start; and the operator's file comes and goes", async () => {
    const settings = settingsOf({ "data-dir": dataDir, port: "0" });
    const served = await serve(settings);
    if (served.outcome === "refused") throw new Error(served.message);
    const statusAt = async (url: string, apiKey: string) =>
      (await callApi(url, "GET", "/v1/api-keys", undefined, { authorization: `Bearer ${apiKey}` })).status;
    try {
      const file = JSON.parse(await readFile(join(dataDir, "operator.key"), "utf8"));
      expect(file.url).toBe(served.url);
      expect(await statusAt(file.url, file.apiKey)).toBe(200);
      const running = await recovered({ settings, tenant: "default" });
      expect(await statusAt(served.url, running.apiKey)).toBe(200);
    } finally {
      await served.stop();
    }
    expect(existsSync(join(dataDir, "operator.key"))).toBe(false);
    const stopped = await recovered({ settings, tenant: "default" });
    const again = await serve(settings);
    if (again.outcome === "refused") throw new Error(again.message);
    try {
      expect(await statusAt(again.url, stopped.apiKey)).toBe(200);
    } finally {
      await again.stop();
    }
  }, 60_000);
});
