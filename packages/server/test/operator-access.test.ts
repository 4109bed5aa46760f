// The operator's key beside a running server: in force from start to stop, from this machine, and after a kill -9 dead
// at the next start. Told of in the trail, never in a log.
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { OPERATOR_KEY_FILE } from "../src/manage/operator-key-file.ts";
import { openOperatorAccess } from "../src/operator-access.ts";
import { callApi, startTestNode, type TestNode } from "./support/node.ts";

let node: TestNode;
let dataDir: string;
beforeAll(async () => {
  node = await startTestNode();
});
afterAll(() => node?.stop());
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "posthorn-access-"));
});
afterEach(() => rm(dataDir, { recursive: true }));

const open = (changes: Partial<Parameters<typeof openOperatorAccess>[0]> = {}) =>
  openOperatorAccess({ connection: node.database.connection, withRoles: true, dataDir, node: node.node, ...changes });
const readAccess = async () => JSON.parse(await readFile(join(dataDir, OPERATOR_KEY_FILE), "utf8"));
const statusWith = async (apiKey: string, path = "/v1/tenants") =>
  (await callApi(node.node.url, "GET", path, undefined, { authorization: `Bearer ${apiKey}` })).status;
/** Changes made past the node, as at a start, are seen at its next look at the configuration. */
async function refusedSoon(apiKey: string): Promise<void> {
  const startedAtMs = performance.now();
  while ((await statusWith(apiKey)) !== 401) expect(performance.now() - startedAtMs).toBeLessThan(2_000);
}

describe("while the server runs", () => {
  test("a file for its owner alone says where it is, and has a key for the first tenant and for all tenants", async () => {
    const close = await open();
    const access = await readAccess();
    expect(access).toEqual({
      url: node.node.url,
      apiKey: expect.stringMatching(/^blg_live_sk_/),
      processId: process.pid,
    });
    const { mode } = await stat(join(dataDir, OPERATOR_KEY_FILE));
    expect((mode & 0o777).toString(8)).toBe("600");
    expect(await readdir(dataDir)).toEqual([OPERATOR_KEY_FILE]);
    expect([await statusWith(access.apiKey), await statusWith(access.apiKey, "/v1/webhooks")]).toEqual([200, 200]);
    const current = await callApi(node.node.url, "GET", "/v1/tenants/current", undefined, {
      authorization: `Bearer ${access.apiKey}`,
    });
    expect(current.body.data.name).toBe("default");
    await close();
  });

  test("the key is for this machine: the allow-list holds the loopback and the address listened on", async () => {
    const close = await open({ node: { url: "http://192.0.2.7:8420", address: "192.0.2.7" } });
    expect((await readAccess()).url).toBe("http://192.0.2.7:8420");
    const [row] = await node.sql<{ allowed_ips: string[] }>("select allowed_ips from api_key where of_operator_file");
    expect(row?.allowed_ips).toEqual(["127.0.0.0/8", "::1", "192.0.2.7"]);
    await close();
  });

  test.each([
    ["0.0.0.0", "http://0.0.0.0:8420", "http://127.0.0.1:8420"],
    ["::", "http://[::]:8420", "http://[::1]:8420"],
  ])(
    "a server that listens on %s is reached by the loopback, and by nobody else with this key",
    async (address, url, shown) => {
      const close = await open({ node: { url, address } });
      expect((await readAccess()).url).toBe(shown);
      const [row] = await node.sql<{ allowed_ips: string[] }>("select allowed_ips from api_key where of_operator_file");
      expect(row?.allowed_ips).toEqual(["127.0.0.0/8", "::1"]);
      await close();
    },
  );

  test("it does not count as the administrator that a tenant must keep", async () => {
    const close = await open();
    const { body } = await node.api("GET", "/v1/api-keys?status=active");
    const ours = body.data.find((key: { name: string }) => key.name === "first administrator");
    const answer = await node.api("DELETE", `/v1/api-keys/${ours.id}`);
    expect([answer.status, answer.body.error.code]).toEqual([409, "LAST_ADMINISTRATOR"]);
    await close();
  });
});

describe("afterwards", () => {
  test("an orderly stop removes the file and ends the key; the next start makes another in the same row", async () => {
    const close = await open();
    const first = (await readAccess()).apiKey;
    expect(await statusWith(first)).toBe(200);
    await close();
    expect(await readdir(dataDir)).toEqual([]);
    await refusedSoon(first);
    const closeAgain = await open();
    const second = (await readAccess()).apiKey;
    expect(second).not.toBe(first);
    expect(await statusWith(second)).toBe(200);
    expect(await node.sql("select count(*)::int as n from api_key where of_operator_file")).toEqual([{ n: 1 }]);
    await closeAgain();
    await close();
  });

  test("a kill -9 leaves both behind: the next start overwrites the file and ends the old key", async () => {
    await open();
    const killed = (await readAccess()).apiKey;
    await chmod(join(dataDir, OPERATOR_KEY_FILE), 0o644);
    await writeFile(join(dataDir, OPERATOR_KEY_FILE), `${JSON.stringify({ apiKey: killed })}\n`);
    const close = await open();
    const { apiKey } = await readAccess();
    expect(((await stat(join(dataDir, OPERATOR_KEY_FILE))).mode & 0o777).toString(8)).toBe("600");
    expect(await statusWith(apiKey)).toBe(200);
    await refusedSoon(killed);
    await close();
  });

  test("a start on a database of one's own makes no file, and ends a key that came with a restored copy", async () => {
    await open();
    const { apiKey } = await readAccess();
    await rm(join(dataDir, OPERATOR_KEY_FILE));
    const close = await open({ dataDir: undefined });
    expect(await readdir(dataDir)).toEqual([]);
    await refusedSoon(apiKey);
    await close();
  });
});

test("the trail tells of each key made and ended, and holds none of them", async () => {
  const before = (await node.api("GET", "/v1/audit?actor=operator&limit=200")).body.data.length;
  const close = await open();
  const { apiKey } = await readAccess();
  await close();
  const entries = (await node.api("GET", "/v1/audit?actor=operator&limit=200")).body.data;
  expect(entries.slice(0, entries.length - before).map((entry: { action: string }) => entry.action)).toEqual([
    "operator_key.revoked",
    "operator_key.issued",
  ]);
  expect(JSON.stringify(entries)).not.toContain(apiKey.slice(12, 40));
});
