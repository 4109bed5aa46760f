// Commands beside a running server with an embedded database: they need neither address nor key. Real processes; what
// it starts is gone afterwards.
import { once } from "node:events";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { findPostmaster } from "../../../server/src/storage/embedded/postmaster.ts";
import { newFolder } from "../../../server/test/support/folder.ts";
import { ensureBuilt, posthorn, spawnPosthorn } from "../support/command.ts";

const folder = newFolder("posthorn-beside-");
const dataDir = join(folder, "data");
const at = ["--data-dir", dataDir];
let server: ReturnType<typeof spawnPosthorn>;

beforeAll(async () => {
  ensureBuilt();
  server = spawnPosthorn(["serve", "--port", "0", ...at]);
  let output = "";
  await new Promise<void>((resolve, reject) => {
    server.stdout.on("data", (chunk: Buffer) => {
      output += chunk.toString();
      if (output.includes("serves at")) resolve();
    });
    server.stderr.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    server.once("close", () => reject(new Error(output)));
  });
}, 180_000);

afterAll(async () => {
  if (server?.exitCode === null && server.signalCode === null) {
    server.kill("SIGKILL");
    await once(server, "close");
  }
  const note = join(dataDir, "postgres-location");
  const stateDir = existsSync(note) ? readFileSync(note, "utf8").trim() : join(dataDir, "postgres");
  for (let postmaster = findPostmaster(join(stateDir, "data")); postmaster !== undefined; ) {
    process.kill(postmaster.pid, "SIGQUIT");
    await new Promise((resolve) => setTimeout(resolve, 50));
    postmaster = findPostmaster(join(stateDir, "data"));
  }
  if (stateDir.startsWith("/var/lib/posthorn/")) rmSync(stateDir, { recursive: true, force: true });
  rmSync(folder, { recursive: true, force: true });
}, 60_000);

test("commands find it by its data directory, a lost key is made anew, and after its end they say that none runs", async () => {
  const published = await posthorn(["trigger", "invoice.paid", ...at, "--json"]);
  expect([published.err, published.code]).toEqual(["", 0]);
  expect(published.json()).toMatchObject({ event: "invoice.paid", deliveries: 0 });
  expect((await posthorn(["events", ...at])).out).toContain(published.json().id);

  const recovered = await posthorn(["keys", "recover", ...at]);
  expect([recovered.code, recovered.out]).toEqual([0, expect.stringMatching(/^blg_live_sk_\S+\n$/)]);
  const { url } = JSON.parse(readFileSync(join(dataDir, "operator.key"), "utf8")) as { url: string };
  const env = { POSTHORN_URL: url, POSTHORN_API_KEY: recovered.out.trim() };
  expect((await posthorn(["keys"], { env })).out).toContain("recovered administrator");
  const unknown = await posthorn(["keys", "recover", "--tenant", "nobody", "--json", ...at]);
  expect([unknown.code, unknown.out]).toEqual([1, ""]);
  expect(JSON.parse(unknown.err)).toMatchObject({ error: { code: "TENANT_NOT_FOUND" } });

  server.kill("SIGINT");
  await once(server, "close");
  const gone = await posthorn(["events", ...at]);
  expect([gone.code, gone.err]).toEqual([2, expect.stringContaining("NO_API_KEY")]);
}, 120_000);
